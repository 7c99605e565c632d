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

// What platform and operators rely on: errors, OpenAPI, logs, metrics, configuration, stopping.

func TestMethodsAndPaths(t *testing.T) {
	for _, asked := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", itemsPath, 200},
		{"OPTIONS", itemsPath, 204},
		{"PUT", itemsPath, 405},
		{"GET", "/nowhere", 404},
		{"GET", itemsPath + "/", 404},
		{"GET", "/x/../livez", 404},
		{"GET", "/livez", 200},
		{"GET", "/metrics", 200},
	} {
		given := needed(t).ask(t, asked.method, asked.path, "")
		isProblem := given.Header.Get("Content-Type") == "application/problem+json"
		if given.StatusCode != asked.status || isProblem != (asked.status >= 400) {
			t.Error(asked, given.Status, given.Header)
		}
		allow := given.Header.Get("Allow")
		if (asked.status == 204 || asked.status == 405) && allow != "GET, HEAD, POST, OPTIONS" {
			t.Error(asked, allow)
		}
	}
}

// document is what a test wants to know of openapi.json.
type document struct {
	Paths      map[string]map[string]jsontext.Value `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]jsontext.Value `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func TestOpenAPIHasEveryRouteAndNoOther(t *testing.T) {
	var described, served []string
	for path, item := range decode[document](t, string(openapi)).Paths {
		for method := range item {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for pattern := range (&app{}).routes() {
		if strings.Contains(pattern, " /v1/") {
			served = append(served, pattern)
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("openapi.json has\n%q, the service\n%q", described, served)
	}
}

func TestOpenAPIHasTheMembersOfEveryType(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, one := range []any{NewItem{}, Item{}, ItemPage{}, Summary{}, Problem{}, Fault{}} {
		types[reflect.TypeOf(one).Name()] = reflect.TypeOf(one)
	}
	for name, schema := range decode[document](t, string(openapi)).Components.Schemas {
		described := slices.Sorted(maps.Keys(schema.Properties))
		if members := members(types[name]); !slices.Equal(described, members) {
			t.Errorf("%s has %q in openapi.json, and %q here", name, described, members)
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
	for one := range strings.Lines(string(text)) {
		found = append(found, decode[map[string]any](t, one))
	}
	return found
}

func TestARequestLeavesOneLineInItsTrace(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	needed(t).ask(t, "GET", itemsPath, "", "traceparent: 00-"+trace+"-b7ad6b7169203331-01")
	needed(t).ask(t, "GET", "/livez", "")
	time.Sleep(100 * time.Millisecond) // a line comes after its answer
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

func TestUnknownPathsShareOneSeries(t *testing.T) {
	for _, path := range []string{"/one", "/two"} {
		needed(t).ask(t, "NONSENSE", path, "")
	}
	series := needed(t).ask(t, "GET", "/metrics", "").text
	labels := `http_request_method="_OTHER",http_response_status_code="404",http_route=""`
	if !strings.Contains(series, labels) || strings.Contains(series, "/one") {
		t.Error(series)
	}
}

func TestAMalformedVariableEndsTheStart(t *testing.T) {
	for name, value := range map[string]string{
		"PORT": "70000", "LOG_LEVEL": "loud", "DRAIN_SECONDS": "-1",
	} {
		log := filepath.Join(t.TempDir(), "log")
		process := begin(log, []string{name + "=" + value})
		if err := process.Wait(); process.ProcessState.ExitCode() != 1 {
			t.Error(name, err)
		}
		said := lines(t, log)
		if len(said) != 1 || !strings.HasPrefix(said[0]["msg"].(string), name) {
			t.Error(name, said)
		}
	}
}

func TestStoppingAnswersOnAndThenEndsWell(t *testing.T) {
	needed(t)
	leaving, err := start(filepath.Join(t.TempDir(), "log"), append(environment, "DRAIN_SECONDS=1")...)
	if err != nil {
		t.Fatal(err)
	}
	if err := leaving.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if ready := leaving.ask(t, "GET", "/readyz", ""); ready.StatusCode != http.StatusServiceUnavailable {
		t.Error(ready.Status)
	}
	if served := leaving.ask(t, "GET", itemsPath, ""); served.StatusCode != http.StatusOK {
		t.Error(served.Status)
	}
	if err := leaving.process.Wait(); err != nil {
		t.Error(err)
	}
}
