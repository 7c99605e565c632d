"""Calls: a stub takes the place of the callee and fails in every known way."""

from __future__ import annotations

import time
from collections.abc import Mapping

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import problem
from svcgen.contract.context import CheckContext, marker
from svcgen.contract.expect import NotRunError, expect
from svcgen.contract.http import Response, ask
from svcgen.contract.support.stub import ANSWER, FAIL, HANG, NONSENSE, RESET, UNAVAILABLE, Received
from svcgen.contract.targets.base import CALLS, START

SLOWEST = 5.0  # seconds of a call that may take 2
PAUSE = 0.05  # seconds between a call and its retry
DEADLINE = "x-envoy-expected-rq-timeout-ms"
WAITS = 1.8  # seconds; less than the 2 s of a call whose request has no deadline
SUCCESS = 2  # the first digit of a status
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")  # RFC 9110, 9.2.2
IDENTITY = {
    "authorization": "Bearer of-a-check",
    "x-auth-subject": "user-17",
    "x-auth-scopes": "items:read items:write",
}


def summarize(context: CheckContext, depth: int) -> Response:
    """GET the example's summary, which calls the callees' summaries."""
    return ask(context.address, "GET", f"{context.path}/summary?depth={depth}")


def call(context: CheckContext, headers: Mapping[str, str] | None = None) -> Response:
    """Send the request that makes the service call another one once."""
    calling = context.calling
    return ask(context.address, calling.method, calling.path, calling.body, headers)


def called(context: CheckContext, headers: Mapping[str, str] | None = None) -> Received:
    """Make the service call once and return the request that the callee received."""
    callee = context.calling.callee
    with callee.behaving(ANSWER) as received:
        require_success(call(context, headers))
        expect(len(received) == 1, f"{len(received)} requests to {callee.name}, not one")
        return received[0]


def require_success(answer: Response, when: str = "") -> None:
    success = answer.status // 100 == SUCCESS
    expect(success, f"the response is {answer.status}{when}: {answer.body[:200]!r}")


def depth_zero(context: CheckContext) -> None:
    with context.callee.behaving(ANSWER) as received:
        calls = summarize(context, 0).json()["calls"]
        expect(calls == dict.fromkeys(context.service.calls), f"calls are {calls}")
        expect(not received, f"depth 0 asked for {[one.path for one in received]}")


def depth_counted(context: CheckContext) -> None:
    callee = context.callee
    for depth in (1, 3, 8):
        with callee.behaving(ANSWER) as received:
            answer = summarize(context, depth)
            wanted = f"/v1/{callee.name}/summary?depth={depth - 1}"
            paths = [one.path for one in received]
            expect(paths == [wanted], f"depth {depth} asks for {paths}, not {wanted}")
            calls = answer.json()["calls"]
            expect(calls.get(callee.name) == callee.summary, f"calls are {calls}")


def call_refused(context: CheckContext) -> None:
    callee = context.calling.callee
    with callee.closed():
        detail = problem(call(context), 502)["detail"]
        expect(callee.name in detail, f"the detail does not name it: {detail}")


def call_failed(context: CheckContext) -> None:
    for behaviour in (FAIL, NONSENSE, UNAVAILABLE):
        with context.calling.callee.behaving(behaviour):
            problem(call(context), 502)


def call_slow(context: CheckContext) -> None:
    took = slow_call(context)
    if took > SLOWEST:  # a busy machine is late once; a wrong limit is late again
        took = slow_call(context)
    expect(1 < took < SLOWEST, f"it took {took:.1f} s, not 2")


def slow_call(context: CheckContext, left: str = "") -> float:
    """Return the seconds of a request whose callee does not answer.

    `left` are the milliseconds after which its caller stops waiting. On a busy machine they can
    end before the call begins.
    """
    headers = {DEADLINE: left} if left else None
    callee = context.calling.callee
    with callee.behaving(HANG) as received:
        began = time.monotonic()
        detail = problem(call(context, headers), 504)["detail"]
        took = time.monotonic() - began
        expect(callee.name in detail, f"the detail does not name it: {detail}")
        fewest = 0 if left else 1
        expect(fewest <= len(received) <= 1, f"{len(received)} requests, not one")
        return took


def call_deadline(context: CheckContext) -> None:
    """Check that a call ends with the request for which it is made, and passes the rest on."""
    for given in ("", "1900"):
        sent = called(context, {DEADLINE: given} if given else None).headers.get(DEADLINE, "")
        most = int(given or 2000)
        expect(sent.isdecimal() and 0 < int(sent) <= most, f"{DEADLINE} is {sent!r}, not {most}")
    # A busy machine is late now and then; a service that waits 2 s is late each time.
    for left in ("200", "0"):
        took = min(slow_call(context, left) for _ in range(3))
        expect(took < WAITS, f"a request with {left} ms left took {took:.1f} s")


def call_retried(context: CheckContext) -> None:
    if called(context).method not in IDEMPOTENT:
        raise NotRunError("needs an operation whose call is idempotent")
    for behaviour in (RESET, UNAVAILABLE):
        with context.calling.callee.behaving(behaviour, ANSWER) as received:
            require_success(call(context), f" after one {behaviour}")
            expect(len(received) == 2, f"{len(received)} requests after one {behaviour}")
            paused = received[1].at - received[0].at
            expect(paused > PAUSE - 0.01, f"{paused:.3f} s after {behaviour}, not {PAUSE}")
        count = refused(context, behaviour)
        if count != 2:  # on a busy machine, one of the two may not have reached the callee
            count = refused(context, behaviour)
        expect(count == 2, f"{count} requests, each {behaviour}: not two")


def refused(context: CheckContext, behaviour: str) -> int:
    """Return how many requests a callee received that never answers with success."""
    with context.calling.callee.behaving(behaviour) as received:
        problem(call(context), 502)
        return len(received)


def call_direct(context: CheckContext) -> None:
    called(context)  # its environment names a proxy that does not exist


def identity(context: CheckContext) -> None:
    seen = called(context, IDENTITY).headers
    passed = {name: seen.get(name) for name in IDENTITY}
    expect(passed == IDENTITY, f"passed on: {passed}")


def identity_apart(context: CheckContext) -> None:
    called(context, {name: marker() for name in IDENTITY})
    seen = called(context).headers
    kept = [name for name in IDENTITY if name in seen]
    expect(not kept, f"passed on though the request did not have it: {kept}")


CALLED = frozenset({START, CALLS})
CHECKS = (
    Check("call-depth-zero", "depth 0 makes no call", depth_zero, CALLED),
    Check("call-depth-counted", "depth D calls with depth D-1", depth_counted, CALLED),
    Check("call-refused", "callee down: 502", call_refused, CALLED),
    Check("call-failed", "callee fails or answers invalid JSON: 502", call_failed, CALLED),
    Check("call-slow", "callee does not answer: 504 after 2 s, called once", call_slow, CALLED),
    Check(
        "call-deadline",
        "a call ends with its request, and passes the rest of the time on",
        call_deadline,
        CALLED,
    ),
    Check("call-retried", "reset and 503 are retried once", call_retried, CALLED),
    Check("call-direct", "no proxy is used", call_direct, CALLED),
    Check("identity", "the caller's identity is passed on", identity, CALLED),
    Check("identity-apart", "and only for that request", identity_apart, CALLED),
)
