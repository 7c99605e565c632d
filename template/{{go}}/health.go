package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// check tells what is wrong with something that the service needs, or nil.
type check func(context.Context) error

// readiness is whether the service should get requests: it is not stopping, and every check is well.
type readiness struct {
	lock     sync.Mutex
	failing  map[string]bool
	stopping bool
}

// watch runs each check every second, until the context ends.
func watch(ctx context.Context, checks map[string]check) *readiness {
	r := &readiness{failing: map[string]bool{}}
	for name, check := range checks {
		r.failing[name] = true
		go r.repeat(ctx, name, check)
	}
	return r
}

func (r *readiness) repeat(ctx context.Context, name string, check check) {
	var warned time.Time
	for ctx.Err() == nil {
		err := within(ctx, 4*time.Second, check) // a busy machine is slow, not broken
		r.note(name, err != nil)
		if err != nil && time.Since(warned) >= 5*time.Second {
			slog.Warn(name+" is not reached", "error", err.Error())
			warned = time.Now()
		}
		time.Sleep(time.Second)
	}
}

func within(ctx context.Context, limit time.Duration, check check) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return check(ctx)
}

func (r *readiness) note(name string, failing bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if failing {
		r.failing[name] = true
	} else {
		delete(r.failing, name)
	}
}

func (r *readiness) stop() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.stopping = true
}

// complaint tells why the service is not ready; it is empty when it is.
func (r *readiness) complaint() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	switch {
	case r.stopping:
		return "The service is stopping."
	case len(r.failing) > 0:
		return "Not reached: " + strings.Join(slices.Sorted(maps.Keys(r.failing)), ", ") + "."
	default:
		return ""
	}
}

func (r *readiness) readyz(w http.ResponseWriter, _ *http.Request) error {
	if complaint := r.complaint(); complaint != "" {
		return problem(http.StatusServiceUnavailable, complaint)
	}
	return writeText(w, "ready")
}

func livez(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "alive")
}

func writeText(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte(text))
	return err
}
