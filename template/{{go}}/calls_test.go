package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Calls to other services: headers, bodies, retries, deadlines, limits, and the errors of failures.

// fakeTransport responds with each status, or fails with each error, in order.
type fakeTransport struct {
	outcomes []any
	requests []*http.Request
}

func (f *fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	outcome := f.outcomes[min(len(f.requests), len(f.outcomes)-1)]
	f.requests = append(f.requests, r)
	switch outcome := outcome.(type) {
	case error:
		return nil, outcome
	case time.Duration:
		<-r.Context().Done()
		return nil, r.Context().Err()
	default:
		text := `{"items": 1, "more": true}`
		if outcome == http.StatusTeapot {
			outcome, text = http.StatusOK, `{"more": true}`
		}
		return &http.Response{StatusCode: outcome.(int), Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// otherSummary is the called service's response; members added by newer versions go into Rest.
type otherSummary struct {
	Items int            `json:"items"`
	Rest  jsontext.Value `json:",embed"`
}

func callFake(method string, outcomes ...any) (*fakeTransport, otherSummary, error) {
	transport := &fakeTransport{outcomes: outcomes}
	caller := http.Header{"X-Auth-Subject": {"ann"}}
	to := client{name: "other", url: "http://other:8080", transport: transport}
	summary, err := call[otherSummary](context.Background(), to, method, "/v1/other", caller, nil)
	return transport, summary, err
}

// serveOther returns a client for a service with one handler.
func serveOther(t *testing.T, serve http.HandlerFunc) client {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return newClient("other", server.URL+"/")
}

func TestAGetIsRetriedOnce(t *testing.T) {
	for _, first := range []any{503, syscall.ECONNREFUSED, io.ErrUnexpectedEOF} {
		transport, summary, err := callFake(http.MethodGet, first, 200)
		if err != nil || summary.Items != 1 || len(transport.requests) != 2 {
			t.Error(first, err, len(transport.requests))
		}
	}
}

func TestAPostIsNotRetried(t *testing.T) {
	for _, first := range []any{503, syscall.ECONNREFUSED, io.ErrUnexpectedEOF} {
		transport, _, err := callFake(http.MethodPost, first, 200)
		if err == nil || len(transport.requests) != 1 {
			t.Error(first, err, len(transport.requests))
		}
	}
}

func TestAFailedCallIsA502Or504(t *testing.T) {
	for _, test := range []struct {
		outcome        any
		status, answer int
	}{
		{404, 404, 502},
		{418, 200, 502},
		{503, 503, 502},
		{101, 0, 502},
		{syscall.ECONNREFUSED, 0, 502},
		{time.Hour, 0, 504},
	} {
		_, _, err := callFake(http.MethodGet, test.outcome)
		p, _ := errors.AsType[*Problem](err)
		if p == nil || p.Status != test.answer || !strings.Contains(p.Detail, "other") {
			t.Error(test, err)
		}
		failed, _ := errors.AsType[*CalleeError](err)
		if failed == nil || failed.Callee != "other" || failed.Status != test.status || failed.Problem != nil {
			t.Error(test, failed)
		}
	}
}

func TestAnErrorHasTheProblemOfTheCallee(t *testing.T) {
	to := serveOther(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", r.URL.Query().Get("after"))
		refuse(w, r, invalid(Fault{Detail: "too many", Pointer: "#/quantity"}))
	})
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for after, most := range map[string]time.Duration{"7": 7 * time.Second, date: time.Hour, "soon": 0} {
		path := pathOf("/v1/other", url.Values{"after": {after}})
		_, err := call[struct{}](t.Context(), to, http.MethodGet, path, nil, nil)
		failed, _ := errors.AsType[*CalleeError](err)
		if failed == nil || failed.Status != 422 || failed.Problem.Errors[0].Pointer != "#/quantity" {
			t.Fatal(err)
		}
		if failed.RetryAfter > most || failed.RetryAfter < most-time.Minute {
			t.Error(after, failed.RetryAfter)
		}
	}
}

func TestABodyIsSentAsJSON(t *testing.T) {
	to := serveOther(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
		_ = writeJSON(w, http.StatusOK, map[string]string{"request": text})
	})
	type echo struct {
		Request string `json:"request"`
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, body := range []any{testLine{Quantity: 2}, []byte(`{"quantity":2}`)} {
			sent, err := call[echo](t.Context(), to, method, "/", nil, body)
			if want := method + ` application/json {"quantity":2}`; err != nil || sent.Request != want {
				t.Error(sent, err)
			}
		}
	}
	if sent, err := call[echo](t.Context(), to, "GET", "/", nil, nil); err != nil || sent.Request != "GET  " {
		t.Error(sent, err)
	}
}

func TestAResponseWithoutABodyIsAccepted(t *testing.T) {
	to := serveOther(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if _, err := call[struct{}](t.Context(), to, http.MethodDelete, "/", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestAResponseIsLimited(t *testing.T) {
	requests := 0
	to := serveOther(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_ = writeJSON(w, http.StatusOK, strings.Repeat("x", mib))
	})
	_, err := call[string](t.Context(), to, http.MethodGet, "/", nil, nil)
	failed, _ := errors.AsType[*CalleeError](err)
	if p, _ := errors.AsType[*Problem](err); p == nil || p.Status != 502 || failed.Status != 200 || requests != 1 {
		t.Error(err, requests)
	}
	if text, err := call[string](t.Context(), to.withLimit(2*mib), http.MethodGet, "/", nil, nil); len(text) != mib {
		t.Error(err)
	}
}

func TestArgumentsOfAPathAreEncoded(t *testing.T) {
	to := serveOther(t, func(w http.ResponseWriter, r *http.Request) {
		_ = writeJSON(w, http.StatusOK, r.RequestURI)
	})
	for want, path := range map[string]string{
		"/v1/products/a%2Fb%3F?q=x+%26y": pathOf("/v1/products/{id}", url.Values{"q": {"x &y"}}, "a/b?"),
		"/v1/products":                   pathOf("/v1/products", nil),
	} {
		if sent, err := call[string](t.Context(), to, http.MethodGet, path, nil, nil); sent != want {
			t.Error(sent, want, err)
		}
	}
}

func TestAnArgumentCannotLeadToAnotherPath(t *testing.T) {
	for _, argument := range []string{"", ".", ".."} {
		path := pathOf("/v1/products/{id}", nil, argument)
		_, err := call[struct{}](t.Context(), newClient("other", "http://other"), http.MethodGet, path, nil, nil)
		if p, _ := errors.AsType[*Problem](err); p == nil || p.Status != http.StatusUnprocessableEntity {
			t.Error(argument, err)
		}
	}
}

func TestACallHasTheTimeThatItsRequestHas(t *testing.T) {
	for header, most := range map[string]int{"500": 500, "": 1000, "60000": 1000} {
		left := make(chan int, 1)
		to := serveOther(t, func(_ http.ResponseWriter, r *http.Request) {
			milliseconds, _ := strconv.Atoi(r.Header.Get(deadlineHeader))
			left <- milliseconds
			<-r.Context().Done()
		})
		calling := func(_ http.ResponseWriter, r *http.Request) error {
			_, err := call[string](r.Context(), to.withTimeout(time.Second), http.MethodPost, "/", nil, nil)
			return err
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
		request.Header.Set(deadlineHeader, header)
		response, start := httptest.NewRecorder(), time.Now()
		observe(newRouter(map[string]http.Handler{"POST /": handler(calling)})).ServeHTTP(response, request)
		if response.Code != http.StatusGatewayTimeout {
			t.Error(header, response.Code)
		}
		if least := time.Duration(most) * time.Millisecond; time.Since(start) < least {
			t.Error(header, time.Since(start))
		}
		select {
		case got := <-left:
			if got > most || got < 1 {
				t.Error(header, got)
			}
		case <-time.After(time.Minute):
			t.Error(header, "the callee got no request")
		}
	}
}

func TestTheIdentityHeadersArePropagatedAndUnknownMembersKept(t *testing.T) {
	transport, summary, err := callFake(http.MethodGet, 200)
	if err != nil || transport.requests[0].Header.Get("X-Auth-Subject") != "ann" {
		t.Error(err, transport.requests)
	}
	if text := toJSON(t, summary); !strings.Contains(text, `"more":true`) {
		t.Error(text)
	}
}

func TestAnIdentityIsSentOnlyWhenGiven(t *testing.T) {
	to := serveOther(t, func(w http.ResponseWriter, r *http.Request) {
		_ = writeJSON(w, http.StatusOK, r.Header.Get("Authorization"))
	})
	incoming := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	incoming.Header.Set("Authorization", "Bearer x")
	for want, caller := range map[string]http.Header{"": nil, "Bearer x": readIdentity(incoming)} {
		if sent, err := call[string](t.Context(), to, http.MethodGet, "/", caller, nil); sent != want {
			t.Error(sent, want, err)
		}
	}
}

func TestTheAddressOfACalledServiceIsRequired(t *testing.T) {
	t.Setenv("ORDER_ITEMS_URL", "http://order-items:8080/")
	if clients, err := newClients("order-items"); err != nil || clients["order-items"].url != "http://order-items:8080" {
		t.Error(clients, err)
	}
	t.Setenv("ORDER_ITEMS_URL", "")
	if _, err := newClients("order-items"); err == nil || !strings.HasPrefix(err.Error(), "ORDER_ITEMS_URL: ") {
		t.Error(err)
	}
}
