package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Paths, logs, metrics, settings, tasks and shutdown.

func TestMethodsAndPaths(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "/openapi.json", 200},
		{"OPTIONS", "/openapi.json", 204},
		{"PUT", "/openapi.json", 405},
		{"GET", "/unknown", 404},
		{"GET", "/openapi.json/", 404},
		{"GET", "/x/../livez", 404},
		{"GET", "/%ff", 400},
		{"GET", "/livez", 200},
		{"GET", "/metrics", 200},
	} {
		response := needed(t).ask(t, test.method, test.path, "")
		isProblem := response.Header.Get("Content-Type") == "application/problem+json"
		if response.StatusCode != test.status || isProblem != (test.status >= 400) {
			t.Error(test, response.Status, response.Header)
		}
		allow := response.Header.Get("Allow")
		if (test.status == 204 || test.status == 405) && allow != "GET, HEAD, OPTIONS" {
			t.Error(test, allow)
		}
	}
}

func lines(t *testing.T, log string) (found []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		found = append(found, fromJSON[map[string]any](t, line))
	}
	return found
}

func TestARequestIsLoggedOnceWithItsTrace(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	needed(t).ask(t, "GET", "/openapi.json", "", "traceparent: 00-"+trace+"-b7ad6b7169203331-01")
	needed(t).ask(t, "GET", "/livez", "")
	time.Sleep(100 * time.Millisecond) // the line is logged after the response
	count := 0
	for _, line := range lines(t, shared.log) {
		if line["trace_id"] == trace {
			count++
			if line["msg"] != "request" || line["http_route"] != "/openapi.json" || line["level"] != "info" {
				t.Error(line)
			}
		}
		if line["url_path"] == "/livez" {
			t.Error(line)
		}
	}
	if count != 1 {
		t.Error(count, "lines")
	}
}

func TestUnknownPathsShareOneTimeSeries(t *testing.T) {
	for _, path := range []string{"/one", "/two"} {
		needed(t).ask(t, "NONSENSE", path, "")
	}
	series := needed(t).ask(t, "GET", "/metrics", "").text
	labels := `http_request_method="_OTHER",http_response_status_code="404",http_route=""`
	if !strings.Contains(series, labels) || strings.Contains(series, "/one") {
		t.Error(series)
	}
}

func TestStartupFailsOnAnInvalidVariable(t *testing.T) {
	for name, value := range map[string]string{
		"PORT": "70000", "LOG_LEVEL": "loud", "DRAIN_SECONDS": "-1",
	} {
		log := filepath.Join(t.TempDir(), "log")
		process := begin(log, []string{name + "=" + value})
		if err := process.Wait(); process.ProcessState.ExitCode() != 1 {
			t.Error(name, err)
		}
		logged := lines(t, log)
		if len(logged) != 1 || !strings.HasPrefix(logged[0]["msg"].(string), name) {
			t.Error(name, logged)
		}
	}
}

func TestAStoppingServiceDrainsAndExitsWith0(t *testing.T) {
	needed(t)
	stopping, err := start(filepath.Join(t.TempDir(), "log"), append(environment, "DRAIN_SECONDS=1")...)
	if err != nil {
		t.Fatal(err)
	}
	if err := stopping.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if ready := stopping.ask(t, "GET", "/readyz", ""); ready.StatusCode != http.StatusServiceUnavailable {
		t.Error(ready.Status)
	}
	if served := stopping.ask(t, "GET", "/openapi.json", ""); served.StatusCode != http.StatusOK {
		t.Error(served.Status)
	}
	if err := stopping.process.Wait(); err != nil {
		t.Error(err)
	}
}

func TestASettingIsParsedOrItsRuleIsNamed(t *testing.T) {
	for _, test := range []struct {
		value string
		parse func() (any, error)
		want  any
	}{
		{"3", parsed(parseNumber(1, 3)), 3},
		{"4", parsed(parseNumber(1, 3)), nil},
		{"0.5", parsed(parseSeconds), 500 * time.Millisecond},
		{"secret", parsed(parseText), "secret"},
		{" ", parsed(parseText), nil},
	} {
		t.Setenv("SETTING", test.value)
		value, err := test.parse()
		if test.want == nil && (err == nil || !strings.HasPrefix(err.Error(), "SETTING: must ")) {
			t.Error(test.value, value, err)
		}
		if test.want != nil && (err != nil || value != test.want) {
			t.Error(test.value, value, err)
		}
	}
}

func parsed[T any](parse func(string) (T, error)) func() (any, error) {
	return func() (any, error) { return read("SETTING", "", parse) }
}

// serveInTest serves as main does, and returns the result, until the function that it also returns.
func serveInTest(t *testing.T, tasks map[string]task) (result <-chan error, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	signals, ended := make(chan os.Signal, 1), make(chan error, 1)
	ready := watch(t.Context(), nil)
	running := replica{
		server: newServer(newRouter(commonRoutes(ready))), ready: ready, tasks: tasks, signals: signals,
	}
	go func() { ended <- running.serve(listener) }()
	return ended, func() { signals <- syscall.SIGTERM }
}

func TestATaskThatFailsEndsTheService(t *testing.T) {
	for _, failing := range []task{
		func(context.Context) error { return errors.New("out of paper") },
		func(context.Context) error { panic("out of paper") },
	} {
		ended, _ := serveInTest(t, map[string]task{"print": failing})
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "print failed: ") ||
			!strings.Contains(err.Error(), "out of paper") {
			t.Error(err)
		}
	}
}

func TestAnUnknownCommandEndsWith1(t *testing.T) {
	needed(t)
	log := filepath.Join(t.TempDir(), "log")
	process := begin(log, environment, "x")
	if err := process.Wait(); process.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
	logged := lines(t, log)
	if len(logged) != 1 || !strings.HasPrefix(logged[0]["msg"].(string), "unknown command x: use migrate, ready, ") {
		t.Error(logged)
	}
}

func TestTasksRunUntilTheServiceStops(t *testing.T) {
	begun, stopped := make(chan struct{}), false
	ended, stop := serveInTest(t, map[string]task{
		"wait": func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			stopped = true
			return ctx.Err()
		},
		"once": func(context.Context) error { return nil },
	})
	<-begun
	stop()
	if err := <-ended; err != nil || !stopped {
		t.Error(err, stopped)
	}
}
