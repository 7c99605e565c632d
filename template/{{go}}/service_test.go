package main

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Errors, OpenAPI, logs, metrics, configuration and shutdown.

func TestMethodsAndPaths(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", itemsPath, 200},
		{"OPTIONS", itemsPath, 204},
		{"PUT", itemsPath, 405},
		{"GET", "/unknown", 404},
		{"GET", itemsPath + "/", 404},
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
		if (test.status == 204 || test.status == 405) && allow != "GET, HEAD, POST, OPTIONS" {
			t.Error(test, allow)
		}
	}
}

// document is the part of openapi.json that the tests read.
type document struct {
	Paths      map[string]map[string]jsontext.Value `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]jsontext.Value `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func TestOpenAPIHasExactlyTheRoutes(t *testing.T) {
	var documented, served []string
	for path, item := range decode[document](t, string(openapi)).Paths {
		for method := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for pattern := range (&app{}).routes() {
		if strings.Contains(pattern, " /v1/") {
			served = append(served, pattern)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("openapi.json has\n%q, the service\n%q", documented, served)
	}
}

func TestOpenAPIHasTheMembersOfEveryType(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, value := range []any{NewItem{}, Item{}, ItemPage{}, Summary{}, Problem{}, Fault{}} {
		types[reflect.TypeOf(value).Name()] = reflect.TypeOf(value)
	}
	for name, schema := range decode[document](t, string(openapi)).Components.Schemas {
		kind, found := types[name]
		if !found {
			t.Errorf("openapi.json has the schema %s, but this test lists no type of that name", name)
			continue
		}
		documented := slices.Sorted(maps.Keys(schema.Properties))
		if members := members(kind); !slices.Equal(documented, members) {
			t.Errorf("%s has %q in openapi.json, but %q in the code", name, documented, members)
		}
	}
}

func members(kind reflect.Type) []string {
	names := []string{}
	for field := range kind.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func lines(t *testing.T, log string) (found []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		found = append(found, decode[map[string]any](t, line))
	}
	return found
}

func TestARequestIsLoggedOnceWithItsTrace(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	needed(t).ask(t, "GET", itemsPath, "", "traceparent: 00-"+trace+"-b7ad6b7169203331-01")
	needed(t).ask(t, "GET", "/livez", "")
	time.Sleep(100 * time.Millisecond) // the line is logged after the response
	count := 0
	for _, line := range lines(t, shared.log) {
		if line["trace_id"] == trace {
			count++
			if line["msg"] != "request" || line["http_route"] != itemsPath || line["level"] != "info" {
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
	if items := stopping.ask(t, "GET", itemsPath, ""); items.StatusCode != http.StatusOK {
		t.Error(items.Status)
	}
	if err := stopping.process.Wait(); err != nil {
		t.Error(err)
	}
}
