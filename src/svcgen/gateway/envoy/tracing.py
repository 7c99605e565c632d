"""The trace of a request: the gateway starts it, or joins that of the client's `traceparent`.

Nothing is exported. The gateway logs the ids that it gives to the service, which logs them too.
"""

from __future__ import annotations

from svcgen.gateway.envoy.xds import CONFIG, Values, extension

# Envoy makes no trace without a collector. This one has no address; no service can have its name.
COLLECTOR_NAME = "otel"
COLLECTOR: Values = {"name": COLLECTOR_NAME, "type": "STATIC"}
# The failed exports are then few; the command line keeps them out of the log.
RUNTIME: Values = {"tracing.opentelemetry.min_flush_spans": 1_000}

TRACING: Values = {
    "provider": {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": f"{CONFIG}.trace.v3.OpenTelemetryConfig",
            "service_name": "gateway",
            "http_service": {
                "http_uri": {
                    "uri": f"http://{COLLECTOR_NAME}/v1/traces",
                    "cluster": COLLECTOR_NAME,
                    "timeout": "1s",
                }
            },
        },
    },
}


def _overwrite(name: str, value: str) -> Values:
    header = {"key": name, "value": value}
    return {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


_SENT = "request.headers['traceparent']"
_VALID = " && ".join(
    (
        # Two patterns, because Envoy limits the size of one: 0-f is all from 0 to f, without -.
        f"{_SENT}.matches('^00-[0-f]{{32}}-[0-f]{{16}}-[0-f]{{2}}$')",
        f"{_SENT}.matches('^[0-9a-f-]+$')",
        f"!{_SENT}.startsWith('00-{'0' * 32}')",
        f"!{_SENT}.contains('-{'0' * 16}-')",
    )
)
_KEPT = "x-valid-traceparent"
# Remove a traceparent that W3C Trace Context calls invalid
# (https://www.w3.org/TR/trace-context/#traceparent-header) or that has another version than 00:
# Envoy would pass it on and start no trace. An empty value overwrites nothing, so a valid one is
# first copied to another header.
VALID_TRACE = extension(
    "envoy.http.early_header_mutation.header_mutation",
    "http.early_header_mutation.header_mutation.v3.HeaderMutation",
    mutations=[
        {"remove": _KEPT},
        _overwrite(_KEPT, f"%CEL({_VALID} ? {_SENT} : '')%"),
        {"remove": "traceparent"},
        _overwrite("traceparent", f"%REQUEST_HEADER({_KEPT})%"),
        {"remove": _KEPT},
    ],
)
