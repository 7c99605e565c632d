"""Running and stopping: one process, and no lost request at the end."""

from __future__ import annotations

import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection

from svcgen.contract.check import Check
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.http import Address, begin_post, connect, get, read_response, refuses, status
from svcgen.contract.targets.base import MAKE, START, Running
from svcgen.contract.targets.process import below

DRAIN = 3.0  # seconds, DRAIN_SECONDS of the watched service
GRACE = 20.0  # seconds for requests in flight after that
SLACK = 5.0  # seconds of delay on a busy machine
HANDLED = 1.0  # seconds until a signal is handled
PIECES = b'{"name": ', b'"late"}'


@dataclass
class Drain:
    """Observations of a service from SIGTERM to its exit."""

    live: set[int] = field(default_factory=set)
    ready: set[int] = field(default_factory=set)
    served: set[int] = field(default_factory=set)
    seconds: float = 0.0  # from the first /readyz that is not 200 until connections were refused
    usual: int = 0  # status of the same request before the signal
    refused: bool = False
    refused_later: bool = False
    finished: int = 0  # status of the request in flight
    code: int = -1
    exit_seconds: float = 0.0  # from the last response to the exit


def drain(context: CheckContext) -> Drain:
    """Stop a service with one request in flight and one idle connection, and watch."""
    with (
        context.ready(DRAIN_SECONDS=str(DRAIN)) as running,
        closing(connect(running.address)) as idle,
    ):
        idle.request("GET", "/livez")
        idle.getresponse().read()
        # The first request of a JVM is slow: the drain is watched with the second.
        usual = status(running.address, context.readable, timeout=30.0)
        with (
            closing(in_flight(running.address, context.readable)) as flight,
            ThreadPoolExecutor(1) as sender,
        ):
            # On a busy machine `docker kill` returns after the drain: it is watched from the start.
            sent = sender.submit(running.signal, signal.SIGTERM)
            seen = draining(running, context.readable, sent)
            seen.usual = usual
            sent.result()
            finish(running, flight, seen)
        return seen


def in_flight(address: Address, path: str) -> HTTPConnection:
    """Send a request without the end of its body."""
    connection = begin_post(address, path, ("Content-Length", str(sum(map(len, PIECES)))))
    connection.send(PIECES[0])
    time.sleep(0.3)  # until the server has read it
    return connection


def draining(running: Running, path: str, sent: Future[None]) -> Drain:
    """Send requests from the signal on, until connections are refused."""
    wait_handled(running.address, sent)
    seen, began = Drain(), time.monotonic()
    while not seen.refused and time.monotonic() - began < DRAIN + SLACK:
        answers = [status(running.address, one) for one in ("/livez", "/readyz", path)]
        if all(answers):
            for kept, one in zip((seen.live, seen.ready, seen.served), answers, strict=True):
                kept.add(one)
        seen.seconds = time.monotonic() - began
        seen.refused = refuses(running.address)
        time.sleep(0.1)
    return seen


def wait_handled(address: Address, sent: Future[None]) -> None:
    """Wait until /readyz shows the signal, at most HANDLED seconds after it was sent."""
    latest = float("inf")
    while status(address, "/readyz") == 200 and time.monotonic() < latest:
        if sent.done():
            latest = min(latest, time.monotonic() + HANDLED)
        time.sleep(0.05)


def finish(running: Running, flight: HTTPConnection, seen: Drain) -> None:
    """Send the rest of the request in flight and wait for the exit."""
    time.sleep(0.5)
    seen.refused_later = refuses(running.address)
    try:
        flight.send(PIECES[1])
        seen.finished = read_response(flight.getresponse()).status
    except OSError:
        seen.finished = 0
    began = time.monotonic()
    seen.code = running.exit_code(GRACE + 10)
    seen.exit_seconds = time.monotonic() - began


def drain_readyz(context: CheckContext) -> None:
    seen = context.cached(drain)
    expect(seen.ready == {503}, f"/readyz was {sorted(seen.ready) or 'not answered'}, not 503")
    expect(seen.live == {200}, f"/livez was {sorted(seen.live) or 'not answered'}, not 200")


def drain_serves(context: CheckContext) -> None:
    seen = context.cached(drain)
    served = sorted(seen.served) or "not answered"
    wanted = 200 if context.has_example else seen.usual
    expect(seen.served == {wanted}, f"GET was {served}, not {wanted}")
    expect(seen.seconds > DRAIN - 1, f"refused after {seen.seconds:.1f} s, not {DRAIN:g}")


def drain_refuses(context: CheckContext) -> None:
    seen = context.cached(drain)
    expect(seen.refused and seen.refused_later, "connections are still accepted")


def drain_finishes(context: CheckContext) -> None:
    path, seen = context.path, context.cached(drain)
    expect(seen.finished == 201, f"POST {path} in flight ended as {seen.finished}, not 201")


def drain_exits(context: CheckContext) -> None:
    seen = context.cached(drain)
    expect(seen.code == 0, f"the exit code is {seen.code}, not 0")
    expect(
        seen.exit_seconds < 2 * SLACK, f"it ended {seen.exit_seconds:.1f} s after its last request"
    )


def drain_limit(context: CheckContext) -> None:
    path = context.path
    with context.ready(DRAIN_SECONDS="0") as running:
        with closing(in_flight(running.address, path)):
            began = time.monotonic()  # before the signal: `docker kill` can return seconds later
            running.signal(signal.SIGTERM)
            code = running.exit_code(GRACE + 4 * SLACK)
            took = time.monotonic() - began
        expect(code == 0, f"the exit code is {code}, not 0: {running.last_lines()}")
        expect(took > GRACE - 2, f"ended after {took:.0f} s, not {GRACE:g}")


def run_one_process(context: CheckContext) -> None:
    expect(get(context.address, "/livez").status == 200, "it does not run")
    processes = below(int(context.shared_service.name))
    expect(len(processes) == 1, f"{len(processes)} processes below make")


STOPPED = frozenset({START})
CHECKS = (
    Check("drain-readyz", "/readyz is 503 after SIGTERM", drain_readyz, STOPPED, alone=True),
    Check("drain-serves", "serves for DRAIN_SECONDS", drain_serves, STOPPED, alone=True),
    Check("drain-refuses", "then refuses connections", drain_refuses, STOPPED, alone=True),
    Check("drain-finishes", "finishes requests in flight", drain_finishes, STOPPED, alone=True),
    Check("drain-exits", "exits 0 after the last request", drain_exits, STOPPED, alone=True),
    Check("drain-limit", "exits 20 s later in any case", drain_limit, STOPPED, alone=True),
    Check("run-one-process", "one process below make", run_one_process, frozenset({MAKE})),
)
