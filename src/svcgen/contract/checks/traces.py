"""Traces: W3C Trace Context in, out, and exported only on demand."""

from __future__ import annotations

import signal

from svcgen.contract.check import Check
from svcgen.contract.checks.calls import called
from svcgen.contract.checks.logs import request_line
from svcgen.contract.context import CheckContext, marker
from svcgen.contract.expect import expect
from svcgen.contract.http import get
from svcgen.contract.support.ports import exclusive_port
from svcgen.contract.support.stub import Received, Stub
from svcgen.contract.targets.base import CALLS, START

OTLP_PORT = 4318  # the default port of OTLP over HTTP
PARENT = "00f067aa0ba902b7"
MALFORMED = (
    "",
    "nonsense",
    "00-{trace}-00f067aa0ba902b7",
    "00-{trace}00-00f067aa0ba902b7-01",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-{trace}-0000000000000000-01",
    "ff-{trace}-00f067aa0ba902b7-01",
    "00-{upper}-00f067aa0ba902b7-01",
)


def parent(trace: str, sampled: bool = True) -> str:
    """Return a traceparent header."""
    return f"00-{trace}-{PARENT}-{'01' if sampled else '00'}"


def traced(context: CheckContext, traceparent: str) -> tuple[str, str]:
    """Make a request with this header and return trace and span id of its log line."""
    path = f"/{marker()}"
    answer = get(context.address, path, traceparent=traceparent)
    expect(answer.status == 404, f"the request is {answer.status}")
    line = request_line(context.output, path)
    return str(line.get("trace_id")), str(line.get("span_id"))


def trace_continued(context: CheckContext) -> None:
    for sampled in (True, False):
        wanted = marker()
        trace, span = traced(context, parent(wanted, sampled))
        expect(trace == wanted, f"trace_id is {trace}, not {wanted}")
        expect(len(span) == 16 and span != PARENT, f"span_id is {span!r}")


def trace_fresh(context: CheckContext) -> None:
    seen = set()
    for malformed in MALFORMED:
        # Letters first: upper case must differ from lower case.
        sent = f"abcdef{marker()[6:]}"
        trace, _span = traced(context, malformed.format(trace=sent, upper=sent.upper()))
        expect(len(trace) == 32, f"trace_id is {trace!r}")
        expect(trace not in (sent, "0" * 32), f"{malformed!r} was accepted")
        seen.add(trace)
    expect(len(seen) == len(MALFORMED), "two requests share a trace id")


def trace_passed_on(context: CheckContext) -> None:
    for sampled in (True, False):
        trace = marker()
        sent = called(context, {"traceparent": parent(trace, sampled)}).headers.get(
            "traceparent", ""
        )
        version, passed, span, flags = ([*sent.split("-"), "", "", "", ""])[:4]
        expect((version, passed) == ("00", trace), f"traceparent is {sent!r}, the trace {trace}")
        expect(len(span) == 16 and span != PARENT, f"its span id is not new: {sent}")
        expect(int(flags or "0", 16) & 1 == int(sampled), f"its sampled flag differs: {sent}")


def trace_exported(context: CheckContext) -> None:
    collector, trace = Stub("collector"), marker()
    collector.open()
    try:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "DRAIN_SECONDS": "0"}
        with context.ready(**endpoint) as running:
            get(running.address, context.readable, traceparent=parent(trace))
            running.signal(signal.SIGTERM)
            running.exit_code(30)
        holding = [one for one in collector.received if holds(one, trace)]
        asked = {f"{one.method} {one.path}" for one in collector.received}
        expect(holding, f"no span of the request arrived; the collector saw {asked or 'nothing'}")
        expect({one.path for one in holding} == {"/v1/traces"}, f"they were sent to {asked}")
        name = context.service.name.encode()
        expect(any(name in one.body for one in holding), "service.name is not the service's")
    finally:
        collector.close()


def holds(received: Received, trace: str) -> bool:
    """Return whether an export holds a trace: binary in protobuf, hexadecimal in JSON."""
    return bytes.fromhex(trace) in received.body or trace.encode() in received.body.lower()


def trace_silent(context: CheckContext) -> None:
    collector = Stub("collector", OTLP_PORT)
    with exclusive_port(OTLP_PORT):
        collector.open()
        try:
            with context.ready(DRAIN_SECONDS="0") as running:
                get(running.address, context.readable, traceparent=parent(marker()))
                running.signal(signal.SIGTERM)
                running.exit_code(30)
        finally:
            collector.close()
    asked = {f"{one.method} {one.path}" for one in collector.received}
    expect(not asked, f"without an endpoint it exported: {asked}")


WATCHED = frozenset({START})
CHECKS = (
    Check("trace-continued", "a caller's trace is continued", trace_continued, WATCHED),
    Check("trace-fresh", "no or a malformed traceparent starts a new trace", trace_fresh, WATCHED),
    Check("trace-passed-on", "to each callee", trace_passed_on, WATCHED | {CALLS}),
    Check("trace-exported", "by OTLP when an endpoint is set", trace_exported, WATCHED, alone=True),
    Check("trace-silent", "not exported without an endpoint", trace_silent, WATCHED, alone=True),
)
