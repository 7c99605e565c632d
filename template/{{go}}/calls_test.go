package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Calls to other services: propagated headers, retries, and the status of failures.

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
	to := client{"other", "http://other:8080", transport}
	summary, err := call[otherSummary](context.Background(), to, method, "/v1/other", caller, nil)
	return transport, summary, err
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
	for _, test := range []struct{ outcome, status any }{
		{404, 502}, {418, 502}, {503, 502}, {syscall.ECONNREFUSED, 502}, {time.Hour, 504},
	} {
		_, _, err := callFake(http.MethodGet, test.outcome)
		p, _ := errors.AsType[*Problem](err)
		if p == nil || p.Status != test.status || !strings.Contains(p.Detail, "other") {
			t.Error(test, err)
		}
	}
}

func TestTheIdentityHeadersArePropagatedAndUnknownMembersKept(t *testing.T) {
	transport, summary, err := callFake(http.MethodGet, 200)
	if err != nil || transport.requests[0].Header.Get("X-Auth-Subject") != "ann" {
		t.Error(err, transport.requests)
	}
	if text := encode(t, summary); !strings.Contains(text, `"more":true`) {
		t.Error(text)
	}
}
