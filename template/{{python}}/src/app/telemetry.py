"""Logs, metrics and traces, named by OpenTelemetry's semantic conventions."""

import json
import logging
import sys
from datetime import UTC, datetime
from http import HTTPMethod
from time import perf_counter

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from prometheus_client import Histogram
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import SERVICE, VERSION
from app.problems import problem
from app.requests import check_body, check_head

PROBES = ("/livez", "/readyz", "/metrics")
DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP server requests.",
    ("http_request_method", "http_route", "http_response_status_code"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)

log = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)


class JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON, with its trace ID."""

    def format(self, record: logging.LogRecord) -> str:
        context = trace.get_current_span().get_span_context()
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": "error" if record.levelno >= logging.ERROR else record.levelname.lower(),
            "msg": record.getMessage(),
            "service": SERVICE,
            "version": VERSION,
            "trace_id": f"{context.trace_id:032x}" if context.is_valid else "",
            "span_id": f"{context.span_id:016x}" if context.is_valid else "",
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_as_json(level: str) -> None:
    """Write all logs of the process, including libraries', to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in ("alembic", "httpx2", "uvicorn"):  # too verbose; httpx2 logs query strings
        logging.getLogger(name).setLevel(logging.WARNING)


def start_tracing(*, exported: bool) -> None:
    """Create a trace for every request; export it only if a collector is configured."""
    own = Resource({"service.name": SERVICE, "service.version": VERSION})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
    if exported:
        # Imported here to save memory in a service that exports nothing.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


class Telemetry:
    """Records a span, a metric and a log line per request; maps exceptions to problems."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "_OTHER"
        headers, path = Headers(scope=scope), scope["path"][:1000]
        span = tracer.start_span(method, extract(headers), SpanKind.SERVER)
        with trace.use_span(span, end_on_exit=True):
            start = perf_counter()
            route, status = await self._call(scope, receive, send)
            seconds = perf_counter() - start
            DURATION.labels(method, route, status).observe(seconds)
            span.update_name(f"{method} {route}".strip())
            attributes: dict[str, str | float] = {
                "http.request.method": method,
                "url.path": path,
                "http.route": route,
                "http.response.status_code": status,
            }
            span.set_attributes(attributes)
            if path not in PROBES:
                fields = {name.replace(".", "_"): value for name, value in attributes.items()}
                fields["duration_seconds"] = round(seconds, 6)
                fields["request_id"] = headers.get("x-request-id", "")[:100]
                log.info("request", extra={"fields": fields})

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        """Call the application; return the route template and the status."""
        status = 0

        async def record_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        # HEAD is handled as GET; the server omits the body (RFC 9110, 9.3.2).
        inner = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        try:
            check_head(inner)
            await self.app(inner, check_body(inner, receive), record_status)
        except HTTPException as error:
            await problem(error.status_code, error.detail)(inner, receive, record_status)
        except Exception:
            log.exception("unhandled exception")
            if not status:
                await problem(500, "Internal error.")(inner, receive, record_status)
        return getattr(inner.get("route"), "path", ""), status
