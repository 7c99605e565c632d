package main

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json" // encoding/json/v2, which the standard library has from Go 1.27 on
)

// Problem is the body of every response with status 400 or above (RFC 9457).
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"`
}

// Fault is one error in a request and its location: a JSON pointer into the body, or a parameter.
type Fault struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer,omitempty"`
	Parameter string `json:"parameter,omitempty"`
}

// The names in RFC 9110; net/http has older ones.
var titles = map[int]string{
	http.StatusRequestEntityTooLarge: "Content Too Large",
	http.StatusUnprocessableEntity:   "Unprocessable Content",
}

func problem(status int, detail string) *Problem {
	title := cmp.Or(titles[status], http.StatusText(status))
	return &Problem{Type: "about:blank", Title: title, Status: status, Detail: detail}
}

func invalid(faults ...Fault) *Problem {
	p := problem(http.StatusUnprocessableEntity, "The request is not valid.")
	p.Errors = faults
	return p
}

func (p *Problem) Error() string { return p.Detail }

// handler responds to a request or returns an error.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		refuse(w, r, err)
	}
}

// refuse responds with a problem. Other errors are logged and hidden from the client.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, found := errors.AsType[*Problem](err)
	if !found {
		slog.ErrorContext(r.Context(), "unhandled exception", "error", err.Error())
		p = problem(http.StatusInternalServerError, "Internal error.")
	}
	_ = write(w, p.Status, "application/problem+json", p) // the client may have disconnected
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
