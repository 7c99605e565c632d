package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Bodies of requests: their limits, and the members that they need.

type testBody struct {
	testName
	Note  string     `json:"note,omitempty"`
	Lines []testLine `json:"lines"`
}

type testName struct {
	Name string `json:"name"`
}

type testLine struct {
	Quantity int `json:"quantity"`
}

func (testBody) faults() []Fault { return nil }

func postInTest(t *testing.T, path, body string, length int64) (int, Problem) {
	t.Helper()
	read := func(w http.ResponseWriter, r *http.Request) error {
		body, err := readBody[testBody](r)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusCreated, body)
	}
	router := newRouter(map[string]http.Handler{
		"POST /body":  handler(read),
		"POST /large": withBodyLimit(3*mib, read),
		"POST /small": withBodyLimit(10, read),
	})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.ContentLength = length
	response := httptest.NewRecorder()
	observe(router).ServeHTTP(response, request)
	return response.Code, parse[Problem](response.Body.Bytes())
}

func TestABodyHasTheMembersOfItsType(t *testing.T) {
	for _, test := range []struct {
		body    string
		status  int
		pointer string
	}{
		{`{"name": "x", "lines": [{"quantity": 1}]}`, 201, ""},
		{`{"name": "x", "note": null, "lines": []}`, 201, ""},
		{`{"lines": []}`, 422, "#/name"},
		{`{"name": null, "lines": []}`, 422, "#/name"},
		{`{"name": "x", "lines": null}`, 422, "#/lines"},
		{`{"name": "x", "lines": [{"quantity": 1}, {}]}`, 422, "#/lines/1/quantity"},
		{`{"name": "x", "lines": [null]}`, 422, "#/lines/0"},
		{`{"name": "x", "lines": [], "more": 1}`, 422, "#/more"},
		{`{"name": 1, "lines": []}`, 422, "#/name"},
		{`null`, 422, "#"},
		{`{"name": "`, 400, ""},
	} {
		status, problem := postInTest(t, "/body", test.body, int64(len(test.body)))
		if status != test.status {
			t.Error(test, status, problem)
		}
		if test.pointer != "" && (len(problem.Errors) != 1 || problem.Errors[0].Pointer != test.pointer) {
			t.Error(test, problem)
		}
	}
}

func TestARouteLimitsItsBody(t *testing.T) {
	for _, test := range []struct {
		path   string
		size   int
		status int
		detail string
	}{
		{"/body", mib, 201, ""},
		{"/body", mib + 1, 413, "The body is larger than 1 MiB."},
		{"/large", 3 * mib, 201, ""},
		{"/large", 3*mib + 1, 413, "The body is larger than 3 MiB."},
		{"/small", 100, 413, "The body is larger than 10 bytes."},
	} {
		const rest = `{"name": "", "lines": []}`
		body := strings.Replace(rest, `""`, `"`+strings.Repeat("x", test.size-len(rest))+`"`, 1)
		for _, length := range []int64{int64(test.size), -1} { // -1: chunked
			if status, problem := postInTest(t, test.path, body, length); status != test.status ||
				problem.Detail != test.detail {
				t.Error(test, length, status, problem)
			}
		}
	}
}

func TestAnIncompleteBodyIsRefused(t *testing.T) {
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	request.Body = io.NopCloser(failingReader{})
	if _, err := readLimited(request); err == nil || err.Error() != "The body is incomplete." {
		t.Error(err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
