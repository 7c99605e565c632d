/** Logs, metrics and traces, named by OpenTelemetry's semantic conventions. */

import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import {
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type LoggerOptions, pino } from "pino";
import { collectDefaultMetrics, Histogram } from "prom-client";
import { ConfigurationError, SERVICE, VERSION } from "./config.ts";

const PROBES = ["/livez", "/readyz", "/metrics"];
const METHODS = "CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split(" ");
const LEVELS: Record<string, string> = { trace: "debug", warn: "warning", fatal: "error" };
/** The milliseconds that the caller, for example the gateway, waits for the response. */
export const TIMEOUT_HEADER = "x-envoy-expected-rq-timeout-ms";
const DEADLINE = createContextKey("deadline");
const DURATION = new Histogram({
  name: "http_server_request_duration_seconds",
  help: "Duration of HTTP server requests.",
  labelNames: ["http_request_method", "http_route", "http_response_status_code"],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
});
collectDefaultMetrics();

const tracer = trace.getTracer(SERVICE);
const routes = new WeakMap<IncomingMessage, string>();

const output = pino.destination();

const options: LoggerOptions = {
  base: { service: SERVICE, version: VERSION },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label) => ({ level: LEVELS[label] ?? label }) },
  mixin: () => {
    const span = trace.getActiveSpan()?.spanContext();
    return { trace_id: span?.traceId ?? "", span_id: span?.spanId ?? "" };
  },
};
/** Writes each log record as one line of JSON, with its trace ID. */
export const log = pino(options, output);
// Node would write these to stderr, not as JSON.
process.removeAllListeners("warning");
process.on("warning", (warning) => log.warn(`${warning.name}: ${warning.message}`));
process.on("uncaughtException", (error) => {
  const expected = error instanceof ConfigurationError;
  log.error(expected ? error.message : error);
  process.exit(expected ? error.exitCode : 1);
});

/** Write the last lines. An exit without it can write a line before an earlier one. */
export async function endLog(): Promise<void> {
  log.level = "silent"; // a line after the end would throw
  output.end();
  await once(output, "close");
}

export function setLogLevel(level: string): void {
  log.level = level === "warning" ? "warn" : level;
}

/** Create a trace for every request; export it only if a collector is configured. */
export async function startTracing(exported: boolean): Promise<TracerProvider> {
  const service = resourceFromAttributes({ "service.name": SERVICE, "service.version": VERSION });
  const resource = service.merge(detectResources({ detectors: [envDetector] }));
  const spanProcessors = [];
  if (exported) {
    // Imported here to save memory in a service that exports nothing.
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
    spanProcessors.push(new BatchSpanProcessor({ exporter: new OTLPTraceExporter() }));
  }
  const provider = new TracerProvider({ resource, spanProcessors });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return provider;
}

/** Return when the caller of the current request stops waiting, on the clock of `performance`. */
export function readDeadline(): number {
  return Number(context.active().getValue(DEADLINE) ?? Number.POSITIVE_INFINITY);
}

/** Record a span, a metric and a log line per request, including those that match no route. */
export function observe(listener: RequestListener): RequestListener {
  return (request, response) => {
    const start = performance.now();
    const timeout = String(request.headers[TIMEOUT_HEADER]);
    const deadline = /^\d{1,9}$/.test(timeout) ? start + Number(timeout) : undefined;
    const root = ROOT_CONTEXT.setValue(DEADLINE, deadline);
    const parent = propagation.extract(root, request.headers);
    const span = tracer.startSpan("request", { kind: SpanKind.SERVER }, parent);
    context.with(trace.setSpan(parent, span), () => {
      const current = context.active();
      response.once("close", () => {
        context.with(current, () => finish(span, request, response, performance.now() - start));
      });
      listener(request, response);
    });
  };
}

/** Set the route template that a request matches. */
export function setRoute(request: IncomingMessage, url: string): void {
  routes.set(request, url.replace(/:(\w+)/g, "{$1}"));
}

function finish(
  span: Span,
  request: IncomingMessage,
  response: ServerResponse,
  milliseconds: number,
): void {
  const attributes = {
    method: METHODS.find((method) => method === request.method) ?? "_OTHER",
    path: request.url?.split("?", 1)[0]?.slice(0, 1000) ?? "",
    route: routes.get(request) ?? "",
    status: response.headersSent ? response.statusCode : 0,
  };
  const id = request.headers["x-request-id"]?.toString().slice(0, 100) ?? "";
  record(attributes, milliseconds / 1000, id);
  span.updateName(`${attributes.method} ${attributes.route}`.trimEnd());
  span.setAttributes({
    "http.request.method": attributes.method,
    "url.path": attributes.path,
    "http.route": attributes.route,
    "http.response.status_code": attributes.status,
  });
  span.end();
}

/** Measure and log one request. */
export function record(
  attributes: { method: string; path: string; route: string; status: number },
  seconds: number,
  requestId = "",
): void {
  const labels = {
    http_request_method: attributes.method,
    http_route: attributes.route,
    http_response_status_code: attributes.status,
  };
  DURATION.observe(labels, seconds);
  if (!PROBES.includes(attributes.path)) {
    const rest = { url_path: attributes.path, duration_seconds: seconds, request_id: requestId };
    log.info({ ...labels, ...rest }, "request");
  }
}
