package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var (
	levels = map[slog.Level]string{
		slog.LevelDebug: "debug",
		slog.LevelInfo:  "info",
		slog.LevelWarn:  "warning",
		slog.LevelError: "error",
	}
	probes  = []string{"/livez", "/readyz", "/metrics"}
	methods = []string{
		http.MethodConnect, http.MethodDelete, http.MethodGet, http.MethodHead,
		http.MethodPatch, http.MethodPost, http.MethodPut, http.MethodTrace,
	}
	duration = promauto.NewHistogramVec(
		prometheus.HistogramOpts{
			Name:    "http_server_request_duration_seconds",
			Help:    "Duration of HTTP server requests.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10},
		},
		[]string{"http_request_method", "http_route", "http_response_status_code"},
	)
	tracer     = otel.Tracer(service)
	propagator = propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{},
	)
)

// logAsJSON writes all logs of the process, including libraries', to stdout as JSON.
func logAsJSON(level slog.Level) {
	jsonHandler := slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level, ReplaceAttr: replaceAttr})
	attrs := []slog.Attr{slog.String("service", service), slog.String("version", version())}
	slog.SetDefault(slog.New(traceHandler{jsonHandler.WithAttrs(attrs)}))
	otel.SetLogger(logr.FromSlogHandler(slog.Default().Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn(err.Error()) }))
}

// replaceAttr formats time as UTC and level as a lower-case name.
func replaceAttr(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch value := attr.Value.Any().(type) {
	case time.Time:
		attr.Value = slog.TimeValue(value.UTC())
	case slog.Level:
		attr.Value = slog.StringValue(levels[value])
	}
	return attr
}

// traceHandler adds the trace and span IDs of the context to a record.
type traceHandler struct{ slog.Handler }

func (t traceHandler) Handle(ctx context.Context, record slog.Record) error {
	var traceID, spanID string
	if context := trace.SpanContextFromContext(ctx); context.IsValid() {
		traceID, spanID = context.TraceID().String(), context.SpanID().String()
	}
	record.AddAttrs(slog.String("trace_id", traceID), slog.String("span_id", spanID))
	return t.Handler.Handle(ctx, record)
}

func (t traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{t.Handler.WithAttrs(attrs)}
}

func (t traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{t.Handler.WithGroup(name)}
}

// startTracing creates a trace for every request and exports it only if a collector is configured.
// The returned function flushes the remaining spans.
func startTracing(ctx context.Context, exported bool) (func(), error) {
	attributes := attribute.NewSet(
		attribute.String("service.name", service), attribute.String("service.version", version()),
	)
	res, err := resource.New(ctx, resource.WithAttributes(attributes.ToSlice()...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	if exported {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	return func() { _ = within(context.Background(), 3*time.Second, provider.Shutdown) }, nil
}

// recorder records the status of a response; 0 before the header is written.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(body []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(body)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe records a span, a metric and a log line per request, and recovers panics.
func observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, method := time.Now(), r.Method
		if method != http.MethodOptions && !slices.Contains(methods, method) {
			method = "_OTHER"
		}
		ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		ctx, cancel := withDeadline(ctx, r.Header)
		defer cancel()
		r = r.WithContext(ctx)
		response := &recorder{ResponseWriter: w}
		recoverPanic(next, response, r)
		report(r, method, response.status, time.Since(start).Seconds())
	})
}

func recoverPanic(next http.Handler, w *recorder, r *http.Request) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		slog.ErrorContext(r.Context(), "panic", "error", fmt.Sprint(value), "stack", string(debug.Stack()))
		if w.status == 0 {
			refuse(w, r, problem(http.StatusInternalServerError, "Internal error."))
		}
	}()
	next.ServeHTTP(w, r)
}

func report(r *http.Request, method string, status int, seconds float64) {
	_, route, _ := strings.Cut(r.Pattern, " ")
	path, requestID := cut(r.URL.EscapedPath(), 1000), cut(r.Header.Get("X-Request-Id"), 100)
	duration.WithLabelValues(method, route, strconv.Itoa(status)).Observe(seconds)
	span := trace.SpanFromContext(r.Context())
	span.SetName(strings.TrimSpace(method + " " + route))
	span.SetAttributes(
		attribute.String("http.request.method", method),
		attribute.String("url.path", path),
		attribute.String("http.route", route),
		attribute.Int("http.response.status_code", status),
	)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	if !slices.Contains(probes, r.URL.Path) {
		slog.InfoContext(
			r.Context(), "request", "http_request_method", method, "url_path", path, "http_route", route,
			"http_response_status_code", status, "duration_seconds", seconds, "request_id", requestID,
		)
	}
}

// cut limits the length of a client's text in a log line.
func cut(text string, length int) string { return text[:min(len(text), length)] }
