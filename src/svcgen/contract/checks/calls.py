"""Calls: the called service is played by a stub that fails in every way it can."""

from __future__ import annotations

import time
from collections.abc import Mapping

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import problem
from svcgen.contract.context import Bench, marker
from svcgen.contract.expect import expect
from svcgen.contract.http import Answer, ask
from svcgen.contract.support.stub import ANSWER, FAIL, HANG, NONSENSE, RESET, UNAVAILABLE, Received
from svcgen.contract.targets.base import CALLS, START

PAUSE = 0.05  # seconds between a call and its repetition
IDENTITY = {
    "authorization": "Bearer of-a-check",
    "x-auth-subject": "user-17",
    "x-auth-scopes": "items:read items:write",
}


def summarize(bench: Bench, depth: int = 1, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask for the summary, which asks the called services for theirs."""
    return ask(bench.address, "GET", f"{bench.path}/summary?depth={depth}", headers=headers)


def called(bench: Bench, headers: Mapping[str, str] | None = None) -> Received:
    """Let the service make one call and return what the called service saw."""
    with bench.callee.behaving(ANSWER) as received:
        answer = summarize(bench, headers=headers)
        expect(answer.status == 200, f"the summary is {answer.status}: {answer.body[:200]!r}")
        expect(len(received) == 1, f"{len(received)} requests to {bench.callee.name}, not one")
        return received[0]


def depth_zero(bench: Bench) -> None:
    with bench.callee.behaving(ANSWER) as received:
        calls = summarize(bench, 0).json()["calls"]
        expect(calls == dict.fromkeys(bench.service.calls), f"calls are {calls}")
        expect(not received, f"depth 0 asked for {[one.path for one in received]}")


def depth_counted(bench: Bench) -> None:
    for depth in (1, 3, 8):
        with bench.callee.behaving(ANSWER) as received:
            answer = summarize(bench, depth)
            wanted = f"/v1/{bench.callee.name}/summary?depth={depth - 1}"
            paths = [one.path for one in received]
            expect(paths == [wanted], f"depth {depth} asks for {paths}, not {wanted}")
            calls = answer.json()["calls"]
            expect(calls.get(bench.callee.name) == bench.callee.summary, f"calls are {calls}")


def call_refused(bench: Bench) -> None:
    with bench.callee.closed():
        detail = problem(summarize(bench), 502)["detail"]
        expect(bench.callee.name in detail, f"the detail does not name it: {detail}")


def call_failed(bench: Bench) -> None:
    for manner in (FAIL, NONSENSE, UNAVAILABLE):
        with bench.callee.behaving(manner):
            problem(summarize(bench), 502)


def call_slow(bench: Bench) -> None:
    with bench.callee.behaving(HANG) as received:
        began = time.monotonic()
        detail = problem(summarize(bench), 504)["detail"]
        took = time.monotonic() - began
        expect(bench.callee.name in detail, f"the detail does not name it: {detail}")
        expect(1 < took < 5, f"it took {took:.1f} s, not 2")
        expect(len(received) == 1, f"{len(received)} requests, not one")


def call_retried(bench: Bench) -> None:
    for manner in (RESET, UNAVAILABLE):
        with bench.callee.behaving(manner, ANSWER) as received:
            answer = summarize(bench)
            expect(answer.status == 200, f"after one {manner} it is {answer.status}")
            expect(len(received) == 2, f"{len(received)} requests after one {manner}")
            paused = received[1].at - received[0].at
            expect(paused > PAUSE - 0.01, f"{paused:.3f} s after {manner}, not {PAUSE}")
        with bench.callee.behaving(manner) as received:
            problem(summarize(bench), 502)
            expect(len(received) == 2, f"{len(received)} requests, each {manner}: not two")


def call_direct(bench: Bench) -> None:
    called(bench)  # its environment names a proxy that nobody is


def identity(bench: Bench) -> None:
    seen = called(bench, IDENTITY).headers
    passed = {name: seen.get(name) for name in IDENTITY}
    expect(passed == IDENTITY, f"passed on: {passed}")


def identity_apart(bench: Bench) -> None:
    called(bench, {name: marker() for name in IDENTITY})
    seen = called(bench).headers
    kept = [name for name in IDENTITY if name in seen]
    expect(not kept, f"passed on without being sent: {kept}")


CALLED = frozenset({START, CALLS})
CHECKS = (
    Check("call-depth-zero", "depth 0 calls nobody", depth_zero, CALLED),
    Check("call-depth-counted", "depth D asks with depth D-1", depth_counted, CALLED),
    Check("call-refused", "a called service that is down: 502", call_refused, CALLED),
    Check("call-failed", "one that fails or talks nonsense: 502", call_failed, CALLED),
    Check("call-slow", "one that does not answer: 504 after 2 s, asked once", call_slow, CALLED),
    Check("call-retried", "reset and 503 are tried twice, not thrice", call_retried, CALLED),
    Check("call-direct", "no proxy is asked", call_direct, CALLED),
    Check("identity", "who asks is passed on", identity, CALLED),
    Check("identity-apart", "and only for that request", identity_apart, CALLED),
)
