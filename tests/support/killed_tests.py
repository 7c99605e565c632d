"""A service that its own tests started ends with the process of the tests, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from svcgen.contract.targets.process import below
from tests.support.checkout import Checkout, until

SECONDS = 300  # for the tests to be compiled


def assert_a_service_ends_with_its_tests(made: Checkout) -> None:
    """Kill all processes of `make test` but the service: it ends too (reads /proc)."""
    with made.start("test") as tests:
        services: list[int] = []

        def started() -> bool:
            services[:] = [pid for pid in below(tests.pid) if is_service(pid)]
            assert services or tests.poll() is None, "the tests ended before they were killed"
            return bool(services)

        until(started, SECONDS)
        for pid in [tests.pid, *below(tests.pid)]:
            if pid not in services:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(runs, services)), 10)


def is_service(pid: int) -> bool:
    """Tell whether the tests gave a process a port."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False
    return any(one.startswith(b"PORT=") for one in variables)


def runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended may wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except OSError:
        return False
