package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const grace = 20 * time.Second // for requests in flight, after DRAIN_SECONDS

//go:embed openapi.json
var openapi []byte

// app has the dependencies of the handlers.
type app struct {
	items     *store
	clients   map[string]client // by service name
	readiness *readiness
}

// routes returns all routes of the service. A GET route also serves HEAD.
func (a *app) routes() map[string]http.Handler {
	routes := a.itemRoutes()
	routes["GET /livez"] = handler(livez)
	routes["GET /readyz"] = handler(a.readiness.readyz)
	routes["GET /metrics"] = promhttp.Handler()
	routes["GET /openapi.json"] = handler(getOpenAPI)
	return routes
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openapi)
	return err
}

// router is a ServeMux that responds with problems to unknown paths and methods, and serves OPTIONS.
type router struct{ mux *http.ServeMux }

func newRouter(routes map[string]http.Handler) router {
	mux := http.NewServeMux()
	for pattern, route := range routes {
		mux.Handle(pattern, route)
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
	if _, pattern := r.mux.Handler(request); pattern != "" {
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
	items, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer items.close()
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
	a := &app{items, newClients(config.callees), watch(ctx, items.checks())}
	return a.serve(listener, config.drain)
}

// serve serves until SIGTERM or SIGINT. After SIGTERM it keeps serving for the drain time, with
// /readyz at 503: gateways notice with a delay that a replica stops, and closing at once would
// lose requests.
func (a *app) serve(listener net.Listener, drain time.Duration) error {
	server := &http.Server{
		Handler:           observe(newRouter(a.routes())),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than gateways', so that the gateway closes first
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	signals, failed := make(chan os.Signal, 1), make(chan error, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() { failed <- server.Serve(problemListener{listener}) }()
	select {
	case err := <-failed:
		return err
	case received := <-signals:
		a.readiness.stop()
		if received == syscall.SIGTERM { // no drain after Ctrl-C
			time.Sleep(drain)
		}
	}
	return stop(server)
}

func stop(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // drops the remaining requests
	}
	return err
}
