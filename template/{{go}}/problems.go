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

// readBody parses the body of a request and validates it with its faults method.
func readBody[T interface{ faults() []Fault }](r *http.Request) (T, error) {
	var body T
	if !isJSON(r) {
		return body, problem(http.StatusUnsupportedMediaType, "The body must be application/json.")
	}
	text, err := readLimited(r)
	if err != nil {
		return body, err
	}
	err = json.Unmarshal(text, &body, json.RejectUnknownMembers(true))
	semantic, found := errors.AsType[*json.SemanticError](err)
	switch {
	case found && jsontext.Value(text).IsValid():
		return body, invalid(Fault{Detail: explain(semantic), Pointer: fragment(semantic.JSONPointer)})
	case err != nil:
		return body, problem(http.StatusBadRequest, "The body is not valid JSON.")
	}
	if faults := body.faults(); len(faults) > 0 {
		return body, invalid(faults...)
	}
	return body, nil
}

// readLimited reads a body of up to 1 MiB. observe sets the limit.
func readLimited(r *http.Request) ([]byte, error) {
	if r.ContentLength > mib {
		return nil, problem(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
	}
	text, err := io.ReadAll(r.Body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, problem(http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The body is incomplete.")
	}
	return text, nil
}

func explain(err *json.SemanticError) string {
	if errors.Is(err, json.ErrUnknownName) {
		return "unknown member"
	}
	return "cannot be a JSON " + err.JSONKind.String()
}

// fragment returns a JSON pointer as a URI fragment (RFC 6901, section 6), as in RFC 9457.
func fragment(pointer jsontext.Pointer) string {
	return "#" + (&url.URL{Path: string(pointer)}).EscapedPath()
}
