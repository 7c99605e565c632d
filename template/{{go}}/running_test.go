package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// running is the service as in production: a process with environment variables.
type running struct {
	url, log string
	process  *exec.Cmd
}

var (
	shared      *running // one service for all tests
	environment []string // variables for all started services
	skipReason  string   // why the shared service could not start
)

// TestMain runs the tests, or, in a process started by them, the service.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_SERVICE") != "" {
		go exitWithTheTests()
		main()
		return
	}
	os.Exit(runTests(m))
}

// exitWithTheTests ends the service when the process of the tests ends: only that has the other end
// of stdin. A test that panics, or is killed, runs no deferred function.
func exitWithTheTests() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func runTests(m *testing.M) int {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the services log to their own files
	variables, remove, err := prepare()
	if err != nil {
		skipReason = err.Error()
		fmt.Println("most tests are skipped:", skipReason)
		return m.Run()
	}
	defer remove()
	environment = variables
	folder, err := os.MkdirTemp("", service)
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	shared, err = start(filepath.Join(folder, "log"), environment...)
	if err != nil {
		panic(err)
	}
	defer shared.end()
	return m.Run()
}

func (s *running) end() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait() // the error is that it was killed
}

// needed returns the shared service, or skips the test.
func needed(t *testing.T) *running {
	t.Helper()
	if skipReason != "" {
		t.Skip(skipReason)
	}
	return shared
}

// start runs the service until it is ready.
func start(log string, environment ...string) (*running, error) {
	port := freePort()
	process := begin(log, append(environment, fmt.Sprintf("PORT=%d", port)))
	service := &running{fmt.Sprintf("http://127.0.0.1:%d", port), log, process}
	for range 200 {
		response, err := http.Get(service.url + "/readyz") //nolint:noctx // returns immediately
		if err == nil {
			response.Body.Close()
		}
		if err == nil && response.StatusCode == http.StatusOK {
			return service, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("the service is not ready after 10 s"), process.Process.Kill())
}

// begin runs the test binary as the service, with the given arguments.
func begin(log string, environment []string, args ...string) *exec.Cmd {
	file, err := os.Create(log)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	process := exec.CommandContext(context.Background(), os.Args[0], args...)
	process.Env = append(os.Environ(), "TEST_AS_SERVICE=yes")
	for _, callee := range calledServices() {
		process.Env = append(process.Env, addressVariable(callee)+"=http://127.0.0.1:1")
	}
	process.Env = append(process.Env, environment...)
	process.Stdout, process.Stderr = file, os.Stderr
	if _, err := process.StdinPipe(); err != nil { // open as long as this process
		panic(err)
	}
	if err := process.Start(); err != nil {
		panic(err)
	}
	return process
}

// calledServices returns the services with a copy of their OpenAPI document in clients/.
func calledServices() (names []string) {
	paths, err := filepath.Glob("clients/*.openapi.json")
	if err != nil {
		panic(err)
	}
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".openapi.json"))
	}
	return names
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns immediately
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// answer is a response and its body.
type answer struct {
	*http.Response
	text string
}

// ask sends a request, whose body is JSON. Headers have the form "Name: value".
func (s *running) ask(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fromJSON[T any](t *testing.T, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err, text)
	}
	return value
}
