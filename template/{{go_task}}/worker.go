package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The example of a background task: it works every INTERVAL_SECONDS. Replace work.

var runs = promauto.NewCounter(
	prometheus.CounterOpts{Name: "worker_runs_total", Help: "Runs that have succeeded."},
)

// work does what is due, and returns how much that was.
func (a *app) work(_ context.Context) (int, error) { return 0, nil }

// repeat works until the service stops. An error ends the service: the platform starts it again.
func (a *app) repeat(ctx context.Context) error {
	for {
		start := time.Now()
		done, err := a.work(ctx)
		if err != nil {
			return err
		}
		runs.Inc()
		slog.InfoContext(ctx, "run", "done", done, "duration_seconds", time.Since(start).Seconds())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(a.interval):
		}
	}
}
