"""A service as the suite sees it: an address, output, signals, an exit code."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import Address, status, until
from svcgen.service import Service

# What a check can need of the target or of its service, with the text for its absence.
START = "start"
DATABASE = "database"
NEWER = "newer"
CALLS = "calls"
FOLDER = "folder"
MAKE = "make"
IMAGE = "image"
MISSING = {
    START: "a target that can be started and stopped",
    DATABASE: "a service with a database",
    NEWER: "a database that a newer version has migrated",
    CALLS: "a service that calls another",
    FOLDER: "the service's folder",
    MAKE: "a target that runs by make",
    IMAGE: "an image",
}


@dataclass
class Output:
    """The lines that a process has printed; threads add to it while the process runs."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def follow(self, process: subprocess.Popen[str]) -> None:
        """Read both streams of a process until they end."""
        for stream, lines in ((process.stdout, self.lines), (process.stderr, self.errors)):
            if stream is None:
                continue
            reader = threading.Thread(target=_read, args=(stream, lines), daemon=True)
            reader.start()
            self.readers.append(reader)

    def wait_complete(self) -> None:
        """Wait until all output of an ended process is read."""
        for reader in self.readers:
            reader.join(timeout=5)

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines that are JSON objects."""
        return [entry for entry in map(_entry, list(self.lines)) if entry]


@dataclass(frozen=True)
class Running:
    """A started service: its address, output, signals and exit code."""

    address: Address
    output: Output = field(default_factory=Output)
    signal: Callable[[int], None] = lambda _number: None
    ended: Callable[[float], int | None] = lambda _seconds: None
    close: Callable[[], None] = lambda: None
    name: str = ""  # of the container, where there is one

    def exit_code(self, seconds: float) -> int:
        """Wait for the exit and return the server's exit code; BrokenRuleError after `seconds`."""
        code = self.ended(seconds)
        expect(code is not None, f"the process still runs after {seconds:g} s")
        self.output.wait_complete()
        return code or 0

    def wait_for(self, path: str, seconds: float) -> None:
        """Wait until a path is 200; BrokenRuleError when the process exits first."""

        def well() -> bool:
            expect(self.ended(0) is None, f"the service exited: {self.last_lines()}")
            return status(self.address, path) == 200

        try:
            until(well, seconds)
        except BrokenRuleError as error:
            raise BrokenRuleError(f"{path} is not 200: {error}; {self.last_lines()}") from error

    def last_lines(self) -> str:
        """Return the last lines of both streams."""
        return " | ".join([*self.output.lines[-3:], *self.output.errors[-5:]])


class Target(Protocol):
    """A service that the suite can check; `provides` is what checks may need."""

    @property
    def service(self) -> Service:
        """The service's facts: name, folder, calls, database."""

    @property
    def provides(self) -> frozenset[str]:
        """What checks may need: START, FOLDER, MAKE, IMAGE."""

    def start(self, environment: Mapping[str, str]) -> Running:
        """Start the server with these variables of the contract and no others."""

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Start the migration."""


def _read(stream: IO[str], lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip("\n"))  # noqa: PERF401 (other threads read the list)


def _entry(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
