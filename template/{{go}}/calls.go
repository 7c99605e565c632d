package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	callTimeout = 2 * time.Second // for a whole call, including the retry
	dialTimeout = 500 * time.Millisecond
	pause       = 50 * time.Millisecond // before the retry: a killed replica closes its connections one by one
	// The milliseconds that the caller still waits. Envoy sets it too.
	deadlineHeader = "X-Envoy-Expected-Rq-Timeout-Ms"
	// In a path, instead of an argument that would lead to another path, percent-encoded too.
	noSegment = "\x00"
)

var (
	// RFC 9110, 9.2.2.
	idempotent = []string{
		http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut,
	}
	identity      = []string{"Authorization", "X-Auth-Subject", "X-Auth-Scopes"}
	callTransport = newTransport() // one for all clients: they share its idle connections
	placeholder   = regexp.MustCompile(`\{[^{}]*\}`)
	errTooMuch    = errors.New("the body of the response is too large")
	errSwitched   = errors.New("the callee switched the protocol")
)

// CalleeError is a failed call. Unhandled, it becomes a 502 problem, or 504 after the deadline.
type CalleeError struct {
	Callee     string
	Status     int           // of the response; 0 without one
	Problem    *Problem      // the body of the response, if it is one
	RetryAfter time.Duration // of the response; 0 without one
	gateway    *Problem
}

func (e *CalleeError) Error() string { return e.gateway.Detail }

func (e *CalleeError) Unwrap() error { return e.gateway }

// client calls another service, behind one load-balanced address, or a third party.
type client struct {
	name, url string
	transport http.RoundTripper
	timeout   time.Duration // for a whole call; 0 is callTimeout
	limit     int64         // of the body of a response, in bytes; 0 is 1 MiB
}

func newClient(name, address string) client {
	return client{name: name, url: strings.TrimRight(address, "/"), transport: callTransport}
}

// newClients returns a client for each called service. The variable NAME_URL has its address.
func newClients(names ...string) (map[string]client, error) {
	clients, errs := map[string]client{}, []error{}
	for _, name := range names {
		address, err := read(addressVariable(name), "", parseURL)
		clients[name] = newClient(name, address)
		errs = append(errs, err)
	}
	return clients, errors.Join(errs...)
}

func addressVariable(callee string) string {
	return strings.ToUpper(strings.ReplaceAll(callee, "-", "_")) + "_URL"
}

// withTimeout returns a client with another timeout for a whole call.
func (c client) withTimeout(timeout time.Duration) client {
	c.timeout = timeout
	return c
}

// withLimit returns a client with another limit for the body of a response, in bytes.
func (c client) withLimit(limit int64) client {
	c.limit = limit
	return c
}

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.Proxy = nil // a proxy would see the callers' identities
	transport.MaxIdleConnsPerHost = 100
	transport.IdleConnTimeout = 60 * time.Second // shorter than servers', so that the client closes first
	return transport
}

// readIdentity returns the identity headers set by the gateway, which removes those sent by
// clients.
func readIdentity(r *http.Request) http.Header {
	caller := http.Header{}
	for _, name := range identity {
		if values := r.Header.Values(name); len(values) > 0 {
			caller[name] = values
		}
	}
	return caller
}

// withDeadline ends the context when the sender of the headers stops waiting.
func withDeadline(ctx context.Context, headers http.Header) (context.Context, context.CancelFunc) {
	left, err := strconv.ParseInt(headers.Get(deadlineHeader), 10, 32)
	if err != nil || left < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(left)*time.Millisecond)
}

// pathOf replaces each {placeholder} by the next argument, percent-encoded, and adds the query. A
// call with an argument that is empty, "." or ".." is a 422.
func pathOf(template string, query url.Values, arguments ...string) string {
	path := placeholder.ReplaceAllStringFunc(template, func(text string) string {
		if len(arguments) == 0 {
			return text
		}
		text, arguments = url.PathEscape(arguments[0]), arguments[1:]
		if text == "" || text == "." || text == ".." {
			return noSegment
		}
		return text
	})
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// call calls a service on behalf of caller and parses the response; struct{} ignores it. The body is
// sent as JSON; nil sends none. A failed call is a *CalleeError.
func call[T any](
	ctx context.Context, to client, method, path string, caller http.Header, body any,
) (T, error) {
	var result T
	sent, err := encodeBody(body)
	if err != nil {
		return result, err
	}
	if strings.Contains(path, noSegment) {
		return result, invalid(Fault{Detail: "an argument of the path is empty, . or .."})
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(to.timeout, callTimeout))
	defer cancel()
	ctx, span := tracer.Start(ctx, method+" "+to.name, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	got, err := to.send(ctx, method, path, caller, sent)
	if err != nil {
		return result, to.failure(ctx, got, err)
	}
	if got.status < 200 || got.status > 299 {
		return result, to.refusal(got)
	}
	kind := reflect.TypeFor[T]()
	if kind == reflect.TypeFor[struct{}]() {
		return result, nil
	}
	if json.Unmarshal(got.text, &result) != nil || len(checkMembers(kind, got.text, "")) > 0 {
		return result, to.fault(http.StatusBadGateway, got.status, "returned an unexpected body.")
	}
	return result, nil
}

// encodeBody returns the JSON of a body; bytes are already JSON.
func encodeBody(body any) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return body, nil
	default:
		return json.Marshal(body)
	}
}

func (c client) fault(gateway, status int, detail string) *CalleeError {
	return &CalleeError{Callee: c.name, Status: status, gateway: problem(gateway, c.name+" "+detail)}
}

// failure returns the error of a call without a whole response.
func (c client) failure(ctx context.Context, got reply, err error) error {
	switch {
	case ctx.Err() != nil:
		return c.fault(http.StatusGatewayTimeout, 0, "timed out.")
	case errors.Is(err, errTooMuch):
		return c.fault(http.StatusBadGateway, got.status, "returned a body that is too large.")
	default:
		return c.fault(http.StatusBadGateway, 0, "is unreachable.")
	}
}

// refusal returns the error of a call whose response has no status of success.
func (c client) refusal(got reply) error {
	fault := c.fault(http.StatusBadGateway, got.status, fmt.Sprintf("returned status %d.", got.status))
	var body Problem
	if json.Unmarshal(got.text, &body) == nil && body.Title != "" {
		fault.Problem = &body
	}
	fault.RetryAfter = parseRetryAfter(got.headers.Get("Retry-After"))
	return fault
}

// parseRetryAfter parses seconds or a date (RFC 9110, 10.2.3).
func parseRetryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}

// reply is a response that was read.
type reply struct {
	status  int
	headers http.Header
	text    []byte
}

// send sends the request. It retries an idempotent one once if another replica may succeed.
func (c client) send(
	ctx context.Context, method, path string, caller http.Header, body []byte,
) (reply, error) {
	got, err := c.try(ctx, method, path, caller, body)
	failed := (err != nil && !errors.Is(err, errTooMuch)) || got.status == http.StatusServiceUnavailable
	if !failed || !slices.Contains(idempotent, method) {
		return got, err
	}
	select {
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-time.After(pause):
		return c.try(ctx, method, path, caller, body)
	}
}

func (c client) try(
	ctx context.Context, method, path string, caller http.Header, body []byte,
) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	maps.Copy(request.Header, caller)
	propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
	if end, found := ctx.Deadline(); found {
		left := max(1, time.Until(end).Milliseconds())
		request.Header.Set(deadlineHeader, strconv.FormatInt(left, 10))
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return reply{}, errSwitched // no deadline ends its body
	}
	limit := cmp.Or(c.limit, mib)
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errTooMuch
	}
	return reply{status: response.StatusCode, headers: response.Header, text: text}, err
}
