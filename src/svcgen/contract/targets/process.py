"""A service as a process: `make run` and `make migrate` in its folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from svcgen.contract.expect import expect
from svcgen.contract.http import Address
from svcgen.contract.targets.base import FOLDER, MAKE, START, Output, Running
from svcgen.service import Service, read_service, url_variable
from svcgen.toolchains import surroundings

DEFAULT_PORT = 8080
CONTRACT = {"HOST", "PORT", "LOG_LEVEL", "SERVICE_VERSION", "DRAIN_SECONDS", "DATABASE_URL"}
MAKE_FAILED = re.compile(r"make.*\] Error (\d+)")


@dataclass(frozen=True)
class ProcessTarget:
    """The service in a folder, run by its Makefile.

    Signals go to the server below make, and the exit code is the server's, as make reports it.
    """

    folder: Path
    described: Service | None = None  # default: as its answers file describes it
    provides: frozenset[str] = frozenset({START, FOLDER, MAKE})

    @cached_property
    def service(self) -> Service:
        """The service in the folder."""
        return self.described or read_service(self.folder)

    def start(self, environment: Mapping[str, str]) -> Running:
        """Run `make run`."""
        return self._make("run", environment)

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Run `make migrate`."""
        return self._make("migrate", environment)

    def _make(self, goal: str, environment: Mapping[str, str]) -> Running:
        process = subprocess.Popen(
            ["make", "-s", "--no-print-directory", goal],
            cwd=self.folder,
            env={**environment_of(self.service), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # so that close() ends all its processes
        )
        return running(process, Address(int(environment.get("PORT", DEFAULT_PORT))))


def running(process: subprocess.Popen[str], address: Address) -> Running:
    """Return a server that runs below make."""
    output = Output()
    output.follow(process)
    return Running(
        address,
        output,
        signal=lambda number: os.kill(server(process.pid), number),
        ended=partial(_ended, process, output),
        close=partial(_close, process, output),
        name=str(process.pid),
    )


def environment_of(service: Service) -> dict[str, str]:
    """Return this process's environment without variables of the contract and of make.

    Raises SvcgenError when the service's toolchain is missing.
    """
    named = CONTRACT | {url_variable(callee) for callee in service.calls}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in named and not name.startswith(("OTEL_", "MAKE", "MFLAGS"))
    }
    # make's messages are parsed
    return surroundings(service.stack, {**kept, "LC_ALL": "C.UTF-8"})


def below(pid: int) -> list[int]:
    """List the descendants of a process, parents first."""
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()]
    children = [child for child, parent in pairs if parent == pid]
    return children + [deeper for child in children for deeper in below(child)]


def server(make: int) -> int:
    """Return the server: the last process below make."""
    processes = below(make)
    expect(processes, "no process runs below make")
    return processes[-1]


def _ended(process: subprocess.Popen[str], output: Output, seconds: float) -> int | None:
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    if code == 0:
        return 0
    output.wait_complete()
    reported = [match for match in map(MAKE_FAILED.search, output.errors) if match]
    return int(reported[-1].group(1)) if reported else -1


def _close(process: subprocess.Popen[str], output: Output) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    output.wait_complete()
