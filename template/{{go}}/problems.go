package main

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json" // encoding/json/v2, which the standard library has from Go 1.27 on
	"github.com/go-json-experiment/json/jsontext"
)

const mib = 1 << 20

// Problem is what every answer of 400 and above holds (RFC 9457).
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"`
}

// Fault is one thing wrong with a request, and where: a JSON pointer into the body, or a parameter.
type Fault struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
}

// The names that RFC 9110 has given them since net/http was written.
var titles = map[int]string{
	http.StatusRequestEntityTooLarge: "Content Too Large",
	http.StatusUnprocessableEntity:   "Unprocessable Content",
}

func problem(status int, detail string) *Problem {
	title := cmp.Or(titles[status], http.StatusText(status))
	return &Problem{Type: "about:blank", Title: title, Status: status, Detail: detail}
}

func invalid(faults ...Fault) *Problem {
	refusal := problem(http.StatusUnprocessableEntity, "The request is not valid.")
	refusal.Errors = faults
	return refusal
}

func (p *Problem) Error() string { return p.Detail }

// handler answers a request, or returns why not.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		refuse(w, r, err)
	}
}

// refuse answers with a problem. What nobody foresaw is told to the log and not to the client.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	refusal, foreseen := errors.AsType[*Problem](err)
	if !foreseen {
		slog.ErrorContext(r.Context(), "nobody foresaw this", "error", err.Error())
		refusal = problem(http.StatusInternalServerError, "The service made a mistake.")
	}
	_ = write(w, refusal.Status, "application/problem+json", refusal) // the client may be gone
}

func writeJSON(w http.ResponseWriter, status int, body any) error {
	return write(w, status, "application/json", body)
}

func write(w http.ResponseWriter, status int, kind string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, err = w.Write(text)
	return err
}

// readBody reads what a client sends. Its faults method tells what is wrong with the values.
func readBody[T interface{ faults() []Fault }](r *http.Request) (T, error) {
	var body T
	text, err := readLimited(r)
	if err != nil {
		return body, err
	}
	err = json.Unmarshal(text, &body, json.RejectUnknownMembers(true))
	misfit, parsed := errors.AsType[*json.SemanticError](err)
	switch {
	case parsed && jsontext.Value(text).IsValid():
		return body, invalid(Fault{Detail: explain(misfit), Pointer: fragment(misfit.JSONPointer)})
	case err != nil:
		return body, problem(http.StatusBadRequest, "The body is not JSON.")
	}
	if faults := body.faults(); len(faults) > 0 {
		return body, invalid(faults...)
	}
	return body, nil
}

// readLimited reads a body, unless it is over 1 MiB or says so: observe has put the limit on it.
func readLimited(r *http.Request) ([]byte, error) {
	if r.ContentLength > mib {
		return nil, problem(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
	}
	text, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, problem(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The body ends too early.")
	}
	return text, nil
}

func explain(misfit *json.SemanticError) string {
	if errors.Is(misfit, json.ErrUnknownName) {
		return "is not known"
	}
	return "cannot be a JSON " + misfit.JSONKind.String()
}

// fragment writes a JSON pointer as RFC 9457's own example does (RFC 6901, 6).
func fragment(pointer jsontext.Pointer) string {
	return "#" + (&url.URL{Path: string(pointer)}).EscapedPath()
}
