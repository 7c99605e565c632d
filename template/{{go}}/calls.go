package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	deadline = 2 * time.Second // for a whole call, including the retry
	connect  = 500 * time.Millisecond
	pause    = 50 * time.Millisecond // before the retry: a killed replica closes its connections one by one
)

var (
	// RFC 9110, 9.2.2.
	idempotent = []string{
		http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut,
	}
	identity = []string{"Authorization", "X-Auth-Subject", "X-Auth-Scopes"}
)

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

// client calls another service, behind one load-balanced address.
type client struct {
	name, url string
	transport http.RoundTripper
}

// newClients returns a client for each address, by service name.
func newClients(addresses map[string]string) map[string]client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: connect}).DialContext
	transport.Proxy = nil // a proxy would see the callers' identities
	transport.MaxIdleConnsPerHost = 100
	transport.IdleConnTimeout = 60 * time.Second // shorter than servers', so that the client closes first
	clients := map[string]client{}
	for name, url := range addresses {
		clients[name] = client{name, url, transport}
	}
	return clients
}

// call calls a service on behalf of caller and parses the response. A failed call is a 502 problem,
// an exceeded deadline a 504 problem.
func call[T any](
	ctx context.Context, to client, method, path string, caller http.Header, body []byte,
) (T, error) {
	var result T
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	ctx, span := tracer.Start(ctx, method+" "+to.name, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	status, text, err := to.send(ctx, method, path, caller, body)
	switch {
	case err != nil && ctx.Err() != nil:
		return result, problem(http.StatusGatewayTimeout, to.name+" timed out.")
	case err != nil:
		return result, problem(http.StatusBadGateway, to.name+" is unreachable.")
	case status < 200 || status > 299:
		return result, problem(http.StatusBadGateway, fmt.Sprintf("%s returned status %d.", to.name, status))
	}
	if json.Unmarshal(text, &result) != nil || !complete(reflect.TypeFor[T](), text) {
		return result, problem(http.StatusBadGateway, to.name+" returned an unexpected body.")
	}
	return result, nil
}

// complete reports whether text has all required members of a type; Unmarshal does not check this.
func complete(kind reflect.Type, text []byte) bool {
	if kind.Kind() != reflect.Struct {
		return true
	}
	members := map[string]jsontext.Value{}
	if json.Unmarshal(text, &members) != nil {
		return false
	}
	for field := range kind.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		optional := name == "" || name == "-" || strings.Contains(options, "omit")
		if _, found := members[name]; !found && !optional {
			return false
		}
	}
	return true
}

// send sends the request. It retries an idempotent one once if another replica may succeed.
func (c client) send(
	ctx context.Context, method, path string, caller http.Header, body []byte,
) (int, []byte, error) {
	status, text, err := c.try(ctx, method, path, caller, body)
	failed := err != nil || status == http.StatusServiceUnavailable
	if !failed || !slices.Contains(idempotent, method) {
		return status, text, err
	}
	select {
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-time.After(pause):
		return c.try(ctx, method, path, caller, body)
	}
}

func (c client) try(
	ctx context.Context, method, path string, caller http.Header, body []byte,
) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = caller.Clone()
	propagator.Inject(ctx, propagation.HeaderCarrier(request.Header))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}
