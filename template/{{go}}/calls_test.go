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

// Calls to other services: what goes along, what is repeated, and what a failure becomes.

// played is a called service that answers with each status in turn, or fails with each error.
type played struct {
	turns []any
	asked []*http.Request
}

func (p *played) RoundTrip(r *http.Request) (*http.Response, error) {
	turn := p.turns[min(len(p.asked), len(p.turns)-1)]
	p.asked = append(p.asked, r)
	switch turn := turn.(type) {
	case error:
		return nil, turn
	case time.Duration:
		<-r.Context().Done()
		return nil, r.Context().Err()
	default:
		text := `{"items": 1, "more": true}`
		if turn == http.StatusTeapot {
			turn, text = http.StatusOK, `{"more": true}`
		}
		return &http.Response{StatusCode: turn.(int), Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// said is what the called service answers, whatever else it knows by now.
type said struct {
	Items int            `json:"items"`
	Rest  jsontext.Value `json:",embed"`
}

func callPlayed(method string, turns ...any) (*played, said, error) {
	other := &played{turns: turns}
	caller := http.Header{"X-Auth-Subject": {"ann"}}
	to := client{"other", "http://other:8080", other}
	summary, err := call[said](context.Background(), to, method, "/v1/other", caller, nil)
	return other, summary, err
}

func TestAGetIsTriedTwice(t *testing.T) {
	for _, first := range []any{503, syscall.ECONNREFUSED, io.ErrUnexpectedEOF} {
		other, summary, err := callPlayed(http.MethodGet, first, 200)
		if err != nil || summary.Items != 1 || len(other.asked) != 2 {
			t.Error(first, err, len(other.asked))
		}
	}
}

func TestAPostIsNeverRepeated(t *testing.T) {
	for _, first := range []any{503, syscall.ECONNREFUSED, io.ErrUnexpectedEOF} {
		other, _, err := callPlayed(http.MethodPost, first, 200)
		if err == nil || len(other.asked) != 1 {
			t.Error(first, err, len(other.asked))
		}
	}
}

func TestAFailureHasItsStatus(t *testing.T) {
	for _, failing := range []struct{ turn, status any }{
		{404, 502}, {418, 502}, {503, 502}, {syscall.ECONNREFUSED, 502}, {time.Hour, 504},
	} {
		_, _, err := callPlayed(http.MethodGet, failing.turn)
		refusal, _ := errors.AsType[*Problem](err)
		if refusal == nil || refusal.Status != failing.status || !strings.Contains(refusal.Detail, "other") {
			t.Error(failing, err)
		}
	}
}

func TestTheCallerGoesAlongAndTheAnswerIsKeptWhole(t *testing.T) {
	other, summary, err := callPlayed(http.MethodGet, 200)
	if err != nil || other.asked[0].Header.Get("X-Auth-Subject") != "ann" {
		t.Error(err, other.asked)
	}
	if text := encode(t, summary); !strings.Contains(text, `"more":true`) {
		t.Error(text)
	}
}
