package main

import (
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

var runsSeries = regexp.MustCompile(`(?m)^worker_runs_total (\d+)`)

func TestItWorksUntilTheServiceStops(t *testing.T) {
	needed(t)
	log := filepath.Join(t.TempDir(), "log")
	worker, err := start(log, append(environment, "INTERVAL_SECONDS=1", "DRAIN_SECONDS=0")...)
	if err != nil {
		t.Fatal(err)
	}
	for tries := 0; tries < 200 && worker.runs(t) < 2; tries++ {
		time.Sleep(50 * time.Millisecond)
	}
	if err := worker.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.process.Wait(); err != nil {
		t.Error(err)
	}
	count := 0
	for _, line := range lines(t, log) {
		if line["msg"] == "run" && line["done"] == 0.0 {
			count++
		}
	}
	if count < 2 {
		t.Error(count, "runs")
	}
}

// runs returns how often the task has worked.
func (s *running) runs(t *testing.T) int {
	t.Helper()
	found := runsSeries.FindStringSubmatch(s.ask(t, "GET", "/metrics", "").text)
	if found == nil {
		return 0
	}
	count, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return count
}
