"""What the suite can do with a service without knowing what it is made of."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from svcgen.contract.check import BrokenRuleError, expect
from svcgen.contract.client import Address, status, until
from svcgen.service import Service


@dataclass
class Output:
    """What a process has printed so far, line by line; threads fill it while the process runs."""

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

    def settle(self) -> None:
        """Wait until everything that an ended process printed is here."""
        for reader in self.readers:
            reader.join(timeout=5)

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines that are JSON objects."""
        return [entry for entry in map(_entry, list(self.lines)) if entry]


@dataclass(frozen=True)
class Running:
    """A started service: where it answers, what it prints, how to signal it and how it ended."""

    address: Address
    output: Output = field(default_factory=Output)
    signal: Callable[[int], None] = lambda _number: None
    ended: Callable[[float], int | None] = lambda _seconds: None
    close: Callable[[], None] = lambda: None
    name: str = ""  # of the container, where there is one

    def exit_code(self, seconds: float) -> int:
        """Wait for the end and return the server's own exit code; BrokenRuleError when it stays."""
        code = self.ended(seconds)
        expect(code is not None, f"the process still runs after {seconds:g} s")
        self.output.settle()
        return code or 0

    def wait_for(self, path: str, seconds: float) -> None:
        """Wait until a path answers 200; BrokenRuleError when the process ends before."""

        def well() -> bool:
            expect(self.ended(0) is None, f"the service ended at once: {self.last_words()}")
            return status(self.address, path) == 200

        try:
            until(well, seconds)
        except BrokenRuleError as error:
            raise BrokenRuleError(f"{path} is not 200: {error}; {self.last_words()}") from error

    def last_words(self) -> str:
        """Return the last lines of both streams."""
        return " | ".join([*self.output.lines[-3:], *self.output.errors[-5:]])


class Target(Protocol):
    """A service that can be put to the test; `provides` holds what checks may need of it."""

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
            lines.append(line.rstrip("\n"))  # noqa: PERF401 (others read the list meanwhile)


def _entry(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
