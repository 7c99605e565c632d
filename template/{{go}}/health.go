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

// check returns an error if a dependency of the service is not available.
type check func(context.Context) error

// readiness is whether the service accepts requests: it is not stopping and every check passes.
type readiness struct {
	lock     sync.Mutex
	failing  map[string]bool
	stopping bool
}

// watch runs each check every second until ctx is done.
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
		err := within(ctx, 4*time.Second, check) // tolerates a busy machine
		r.set(name, err != nil)
		if err != nil && ctx.Err() == nil && time.Since(warned) >= 5*time.Second {
			slog.Warn(name+" is unreachable", "error", err.Error())
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

func (r *readiness) set(name string, failing bool) {
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

// reason returns why the service is not ready; empty if it is ready.
func (r *readiness) reason() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	switch {
	case r.stopping:
		return "The service is stopping."
	case len(r.failing) > 0:
		return "Unreachable: " + strings.Join(slices.Sorted(maps.Keys(r.failing)), ", ") + "."
	default:
		return ""
	}
}

func (r *readiness) readyz(w http.ResponseWriter, _ *http.Request) error {
	if reason := r.reason(); reason != "" {
		return problem(http.StatusServiceUnavailable, reason)
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
