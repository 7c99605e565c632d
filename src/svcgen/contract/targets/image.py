"""A service as an image, run with the restrictions of Kubernetes."""

from __future__ import annotations

import signal
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from svcgen.contract.http import Address, until
from svcgen.contract.targets.base import FOLDER, IMAGE, START, Output, Running
from svcgen.contract.targets.process import DEFAULT_PORT
from svcgen.errors import SvcgenError
from svcgen.service import Service

# What the restricted Pod Security Standard and the service's chart allow a container.
STRICT = (
    *("--read-only", "--tmpfs", "/tmp"),  # noqa: S108 (inside the container)
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)


@dataclass(frozen=True)
class ImageTarget:
    """An image of a service.

    It uses the host's network, so that it reaches the suite's servers on 127.0.0.1. Without
    PORT it has its own network and a published port.
    """

    image: str
    service: Service

    @cached_property
    def provides(self) -> frozenset[str]:
        """START and IMAGE, and FOLDER when the Dockerfile exists."""
        folder = {FOLDER} if (self.service.folder / "Dockerfile").is_file() else set()
        return frozenset({START, IMAGE} | folder)

    def start(self, environment: Mapping[str, str]) -> Running:
        """Run the image."""
        if "PORT" in environment:
            return self._run(environment, int(environment["PORT"]))
        name = _name()
        published = ("-p", f"127.0.0.1::{DEFAULT_PORT}")
        process = self._process(name, environment, published)
        return _running(process, name, _published(name, process))

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Run the image with the argument `migrate`."""
        return self._run(environment, 0, "migrate")

    def _run(self, environment: Mapping[str, str], port: int, *arguments: str) -> Running:
        name = _name()
        process = self._process(name, environment, ("--network", "host"), *arguments)
        return _running(process, name, port)

    def _process(
        self, name: str, environment: Mapping[str, str], network: tuple[str, ...], *arguments: str
    ) -> subprocess.Popen[str]:
        variables = [f"--env={key}={value}" for key, value in environment.items()]
        command = ["docker", "run", "--rm", "--name", name, *STRICT, *network, *variables]
        return subprocess.Popen(
            [*command, self.image, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the container through close() alone
        )


def docker(*arguments: str) -> str:
    """Run a docker command and return what it prints; SvcgenError when it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SvcgenError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _name() -> str:
    return f"svcgen-contract-{uuid.uuid4().hex[:12]}"


def _running(process: subprocess.Popen[str], name: str, port: int) -> Running:
    output = Output()
    output.follow(process)
    return Running(
        Address(port),
        output,
        signal=partial(_signal, name),
        ended=partial(_ended, process),
        close=partial(_close, process, output, name),
        name=name,
    )


def _published(name: str, process: subprocess.Popen[str]) -> int:
    def port() -> str:
        return _quiet("port", name, str(DEFAULT_PORT)).stdout.strip().rpartition(":")[2]

    until(lambda: bool(port()) or process.poll() is not None, 20)
    return int(port() or 0)


def _signal(name: str, number: int) -> None:
    docker("kill", f"--signal={signal.Signals(number).name}", name)


def _quiet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def _ended(process: subprocess.Popen[str], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _close(process: subprocess.Popen[str], output: Output, name: str) -> None:
    _quiet("rm", "--force", name)
    process.wait()
    output.wait_complete()
