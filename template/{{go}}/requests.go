package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxHeaders = 48 << 10 // bytes
	mib        = 1 << 20
)

// checkHead rejects headers over 48 KiB, and a path or query that is not percent-encoded UTF-8.
func checkHead(r *http.Request) error {
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	if size > maxHeaders {
		return problem(http.StatusRequestHeaderFieldsTooLarge, "The headers are larger than 48 KiB.")
	}
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(query) || !utf8.ValidString(r.URL.Path) {
		return problem(http.StatusBadRequest, "The path or the query is not percent-encoded UTF-8.")
	}
	return nil
}

// problemListener turns the responses of net/http to malformed requests, which no handler sees, into
// problems with a metric and a log line.
type problemListener struct{ net.Listener }

func (l problemListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if tcp, ok := connection.(*net.TCPConn); ok {
		return problemConnection{tcp}, err
	}
	return connection, err
}

type problemConnection struct{ *net.TCPConn }

var malformed = regexp.MustCompile(
	`^HTTP/1\.1 (\d+) (.+)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n`,
)

func (c problemConnection) Write(text []byte) (int, error) {
	match := malformed.FindSubmatch(text)
	if match == nil {
		return c.TCPConn.Write(text)
	}
	status, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(problem(status, "The request is not valid HTTP."))
	if err != nil {
		return 0, err
	}
	report(&http.Request{URL: new(url.URL)}, "_OTHER", status, 0)
	_, err = fmt.Fprintf(
		c.TCPConn, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"+
			"Content-Length: %d\r\nConnection: close\r\n\r\n%s", status, match[2], len(body), body,
	)
	return len(text), err
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
	if faults := checkMembers(reflect.TypeFor[T](), text, ""); len(faults) > 0 {
		return body, invalid(faults...)
	}
	if faults := body.faults(); len(faults) > 0 {
		return body, invalid(faults...)
	}
	return body, nil
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

func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// limitedRoute is a route with its own limit of the body.
type limitedRoute struct {
	http.Handler
	limit int64
}

// withBodyLimit returns a route that accepts bodies of up to limit bytes, instead of 1 MiB.
func withBodyLimit(limit int64, route handler) http.Handler {
	return limitedRoute{Handler: route, limit: limit}
}

// limitedBody is a body that cannot be read beyond its limit.
type limitedBody struct {
	io.ReadCloser
	limit int64
}

func limitBody(w http.ResponseWriter, r *http.Request, route http.Handler) {
	limit := int64(mib)
	if limited, found := route.(limitedRoute); found {
		limit = limited.limit
	}
	if recorder, found := w.(*recorder); found {
		w = recorder.ResponseWriter // net/http closes a connection with an unread body only by its own type
	}
	r.Body = limitedBody{ReadCloser: http.MaxBytesReader(w, r.Body, limit), limit: limit}
}

// readLimited reads a body up to the limit of its route.
func readLimited(r *http.Request) ([]byte, error) {
	limit := int64(mib)
	if body, found := r.Body.(limitedBody); found {
		limit = body.limit
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	text, err := io.ReadAll(r.Body)
	if _, found := errors.AsType[*http.MaxBytesError](err); found {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The body is incomplete.")
	}
	return text, nil
}

func tooLarge(limit int64) error {
	detail := fmt.Sprintf("The body is larger than %d bytes.", limit)
	if limit%mib == 0 {
		detail = fmt.Sprintf("The body is larger than %d MiB.", limit/mib)
	}
	return problem(http.StatusRequestEntityTooLarge, detail)
}

// checkMembers finds required members that are missing, and null for a type without it, in JSON that
// Unmarshal has accepted: it checks neither. Reflection is needed, because only the type says which
// members can be absent: those with omitempty or omitzero.
func checkMembers(kind reflect.Type, text jsontext.Value, at jsontext.Pointer) (found []Fault) {
	if text.Kind() == jsontext.KindNull && !acceptsNull(kind) {
		return []Fault{{Detail: "cannot be a JSON null", Pointer: fragment(at)}}
	}
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind.Kind() == reflect.Struct && text.Kind() == jsontext.KindBeginObject:
		return checkObject(kind, text, at)
	case kind.Kind() == reflect.Map && text.Kind() == jsontext.KindBeginObject:
		for name, value := range parse[map[string]jsontext.Value](text) {
			found = append(found, checkMembers(kind.Elem(), value, at.AppendToken(name))...)
		}
	case kind.Kind() == reflect.Slice && text.Kind() == jsontext.KindBeginArray:
		for i, value := range parse[[]jsontext.Value](text) {
			found = append(found, checkMembers(kind.Elem(), value, at.AppendToken(strconv.Itoa(i)))...)
		}
	}
	return found
}

func acceptsNull(kind reflect.Type) bool {
	return kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Interface ||
		kind == reflect.TypeFor[jsontext.Value]()
}

func checkObject(kind reflect.Type, text jsontext.Value, at jsontext.Pointer) (found []Fault) {
	values, members := parse[map[string]jsontext.Value](text), membersOf(kind)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, present := values[name]
		member, at := members[name], at.AppendToken(name)
		switch {
		case member.optional && (!present || value.Kind() == jsontext.KindNull):
		case present:
			found = append(found, checkMembers(member.kind, value, at)...)
		default:
			found = append(found, Fault{Detail: "is required", Pointer: fragment(at)})
		}
	}
	return found
}

// member is what a type says of a member of its JSON.
type member struct {
	kind     reflect.Type
	optional bool
}

// membersOf returns the members of a type by name, with those of embedded structs.
func membersOf(kind reflect.Type) map[string]member {
	members := map[string]member{}
	for field := range kind.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "" && field.Anonymous && field.Type.Kind() == reflect.Struct:
			maps.Copy(members, membersOf(field.Type))
		case name != "" && name != "-":
			members[name] = member{kind: field.Type, optional: strings.Contains(options, "omit")}
		}
	}
	return members
}

// parse returns the members or items of JSON that is known to be valid.
func parse[T any](text jsontext.Value) (parts T) {
	_ = json.Unmarshal(text, &parts)
	return parts
}
