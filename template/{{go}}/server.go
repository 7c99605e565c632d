package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const grace = 20 * time.Second // for requests in flight and tasks, after DRAIN_SECONDS

//go:embed openapi.json
var openapi []byte

// commonRoutes returns the routes of every service. A GET route also serves HEAD.
func commonRoutes(ready *readiness) map[string]http.Handler {
	return map[string]http.Handler{
		"GET /livez":        handler(livez),
		"GET /readyz":       handler(ready.readyz),
		"GET /metrics":      promhttp.Handler(),
		"GET /openapi.json": handler(getOpenAPI),
	}
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openapi)
	return err
}

// router is a ServeMux that responds with problems to unknown paths and methods, limits bodies, and
// serves OPTIONS.
type router struct{ mux *http.ServeMux }

// newRouter has the routes of all maps.
func newRouter(maps ...map[string]http.Handler) router {
	mux := http.NewServeMux()
	for _, routes := range maps {
		for pattern, route := range routes {
			mux.Handle(pattern, route)
		}
	}
	return router{mux}
}

func (r router) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if err := checkHead(request); err != nil {
		refuse(w, request, err)
		return
	}
	if path.Clean(request.URL.Path) != request.URL.Path { // the mux would redirect
		refuse(w, request, problem(http.StatusNotFound, "No route matches this path."))
		return
	}
	if route, pattern := r.mux.Handler(request); pattern != "" {
		limitBody(w, request, route)
		r.mux.ServeHTTP(w, request)
		return
	}
	r.refuse(w, request)
}

func (r router) refuse(w http.ResponseWriter, request *http.Request) {
	allowed := r.allowed(request)
	if len(allowed) == 0 {
		refuse(w, request, problem(http.StatusNotFound, "No route matches this path."))
		return
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if request.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refuse(w, request, problem(http.StatusMethodNotAllowed, "This path does not allow this method."))
}

// allowed returns the methods of a path and sets the pattern of the request.
func (r router) allowed(request *http.Request) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(method string) bool {
		probe := request.WithContext(request.Context())
		probe.Method = method
		_, pattern := r.mux.Handler(probe)
		request.Pattern = cmp.Or(request.Pattern, pattern)
		return pattern == ""
	})
}

func serve() error {
	config, err := readSettings()
	if err != nil {
		return err
	}
	logAsJSON(config.level)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := open(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	address := net.JoinHostPort(config.host, strconv.Itoa(config.port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("HOST or PORT: %w", err)
	}
	stopTracing, err := startTracing(ctx, config.exported)
	if err != nil {
		return err
	}
	defer stopTracing()
	checking, stopChecks := context.WithCancel(ctx)
	defer stopChecks() // before close: a check of what is closed fails
	ready := watch(checking, a.checks())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	handler := observe(newRouter(a.routes(), commonRoutes(ready)))
	running := replica{
		server: newServer(handler), ready: ready, tasks: a.tasks(), drain: config.drain, signals: signals,
	}
	return running.serve(listener)
}

// runJob runs a job of routes.go once, with what the server opens. SIGTERM or SIGINT ends its context.
func runJob(name string) error {
	config, err := readSettings()
	if err != nil {
		return err
	}
	logAsJSON(config.level)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	a, err := open(ctx)
	if err != nil {
		return err
	}
	defer a.close()
	jobs := jobsOf(a)
	job, found := jobs[name]
	if !found {
		names := strings.Join(append([]string{"migrate", "ready"}, slices.Sorted(maps.Keys(jobs))...), ", ")
		return fmt.Errorf("unknown command %s: use %s, or no argument to serve", name, names)
	}
	stopTracing, err := startTracing(ctx, config.exported)
	if err != nil {
		return err
	}
	defer stopTracing()
	if err := runTask(ctx, job); err != nil {
		return fmt.Errorf("the job %s failed: %w", name, err)
	}
	return nil
}

// jobsOf returns the jobs by name. A routes.go without the method has none.
func jobsOf(a any) map[string]task {
	if registry, found := a.(interface{ jobs() map[string]task }); found {
		return registry.jobs()
	}
	return nil
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than gateways', so that the gateway closes first
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

// replica is the server, what runs beside it, and what stops it.
type replica struct {
	server  *http.Server
	ready   *readiness
	tasks   map[string]task
	drain   time.Duration
	signals <-chan os.Signal
}

// serve serves until SIGTERM, SIGINT or the failure of a task. It keeps serving for the drain time,
// with /readyz at 503: gateways notice with a delay that a replica stops, and closing at once would
// lose requests.
func (r *replica) serve(listener net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- r.server.Serve(problemListener{listener}) }()
	background := startTasks(r.tasks)
	drain := r.drain
	var failure error
	select {
	case err := <-ended:
		return err
	case failure = <-background.failed:
	case received := <-r.signals:
		if received == syscall.SIGINT { // Ctrl-C
			drain = 0
		}
	}
	r.ready.stop()
	time.Sleep(drain)
	return errors.Join(failure, stop(r.server, background))
}

// stop ends the tasks, and waits for them and for the requests in flight.
func stop(server *http.Server, background *taskGroup) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	background.stop()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // drops the remaining requests
	}
	return errors.Join(err, background.wait(ctx))
}

// task runs beside the server until ctx is done. An error, or a panic, ends the service. A job has the
// same type, and runs once.
type task func(ctx context.Context) error

// taskGroup is all tasks of the service.
type taskGroup struct {
	stop   context.CancelFunc
	failed chan error
	ended  sync.WaitGroup
}

func startTasks(tasks map[string]task) *taskGroup {
	ctx, stop := context.WithCancel(context.Background())
	group := &taskGroup{stop: stop, failed: make(chan error, len(tasks))}
	for name, run := range tasks {
		group.ended.Go(func() {
			err := runTask(ctx, run)
			stopped := ctx.Err() != nil && errors.Is(err, context.Canceled)
			if err != nil && !stopped {
				group.failed <- fmt.Errorf("the task %s failed: %w", name, err)
			}
		})
	}
	return group
}

// runTask returns the error, or the panic, of a task or a job.
func runTask(ctx context.Context, run task) (err error) {
	defer func() {
		if value := recover(); value != nil {
			slog.Error("panic", "error", fmt.Sprint(value), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	return run(ctx)
}

// wait waits for the tasks until ctx is done, and returns an error that was not received yet.
func (g *taskGroup) wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		g.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		slog.Warn("a task did not end in time")
	}
	select {
	case err := <-g.failed:
		return err
	default:
		return nil
	}
}
