"""Traces: W3C Trace Context in, out, and exported only on demand."""

from __future__ import annotations

import signal

from svcgen.contract.check import Check
from svcgen.contract.checks.calls import called
from svcgen.contract.checks.logs import request_line
from svcgen.contract.context import Bench, marker
from svcgen.contract.expect import expect
from svcgen.contract.http import get
from svcgen.contract.support.ports import whole_port
from svcgen.contract.support.stub import Received, Stub
from svcgen.contract.targets.base import CALLS, START

OTLP_PORT = 4318  # where OTLP over HTTP goes when nobody says otherwise
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
    """Write a traceparent."""
    return f"00-{trace}-{PARENT}-{'01' if sampled else '00'}"


def traced(bench: Bench, traceparent: str) -> tuple[str, str]:
    """Make a request with this header and return trace and span id of its log line."""
    path = f"/{marker()}"
    answer = get(bench.address, path, traceparent=traceparent)
    expect(answer.status == 404, f"the request is {answer.status}")
    line = request_line(bench.output, path)
    return str(line.get("trace_id")), str(line.get("span_id"))


def trace_continued(bench: Bench) -> None:
    for sampled in (True, False):
        wanted = marker()
        trace, span = traced(bench, parent(wanted, sampled))
        expect(trace == wanted, f"trace_id is {trace}, not {wanted}")
        expect(len(span) == 16 and span != PARENT, f"span_id is {span!r}")


def trace_fresh(bench: Bench) -> None:
    seen = set()
    for malformed in MALFORMED:
        # Letters first: upper case must differ from lower case.
        sent = f"abcdef{marker()[6:]}"
        trace, _span = traced(bench, malformed.format(trace=sent, upper=sent.upper()))
        expect(len(trace) == 32, f"trace_id is {trace!r}")
        expect(trace not in (sent, "0" * 32), f"{malformed!r} was believed")
        seen.add(trace)
    expect(len(seen) == len(MALFORMED), "two requests share a trace id")


def trace_passed_on(bench: Bench) -> None:
    for sampled in (True, False):
        trace = marker()
        sent = called(bench, {"traceparent": parent(trace, sampled)}).headers.get("traceparent", "")
        version, passed, span, flags = ([*sent.split("-"), "", "", "", ""])[:4]
        expect((version, passed) == ("00", trace), f"traceparent is {sent!r}, the trace {trace}")
        expect(len(span) == 16 and span != PARENT, f"its span id is not new: {sent}")
        expect(int(flags or "0", 16) & 1 == int(sampled), f"its sampled flag differs: {sent}")


def trace_exported(bench: Bench) -> None:
    collector, trace = Stub("collector"), marker()
    collector.open()
    try:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "DRAIN_SECONDS": "0"}
        with bench.ready(**endpoint) as running:
            get(running.address, bench.path, traceparent=parent(trace))
            running.signal(signal.SIGTERM)
            running.exit_code(30)
        holding = [one for one in collector.received if holds(one, trace)]
        asked = {f"{one.method} {one.path}" for one in collector.received}
        expect(holding, f"no span of the request came; the collector saw {asked or 'nothing'}")
        expect({one.path for one in holding} == {"/v1/traces"}, f"they came to {asked}")
        name = bench.service.name.encode()
        expect(any(name in one.body for one in holding), "service.name is not the service's")
    finally:
        collector.close()


def holds(received: Received, trace: str) -> bool:
    """Tell whether an export holds a trace: binary in protobuf, hexadecimal in JSON."""
    return bytes.fromhex(trace) in received.body or trace.encode() in received.body.lower()


def trace_silent(bench: Bench) -> None:
    collector = Stub("collector", OTLP_PORT)
    with whole_port(OTLP_PORT):
        collector.open()
        try:
            with bench.ready(DRAIN_SECONDS="0") as running:
                get(running.address, bench.path, traceparent=parent(marker()))
                running.signal(signal.SIGTERM)
                running.exit_code(30)
        finally:
            collector.close()
    asked = {f"{one.method} {one.path}" for one in collector.received}
    expect(not asked, f"without an endpoint it exported: {asked}")


WATCHED = frozenset({START})
CHECKS = (
    Check("trace-continued", "a caller's trace goes on", trace_continued, WATCHED),
    Check("trace-fresh", "none, or a malformed one, begins a new one", trace_fresh, WATCHED),
    Check("trace-passed-on", "to each called service", trace_passed_on, WATCHED | {CALLS}),
    Check("trace-exported", "by OTLP when asked for", trace_exported, WATCHED, alone=True),
    Check("trace-silent", "not exported when not", trace_silent, WATCHED, alone=True),
)
