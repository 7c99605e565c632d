"""The `docker` program: the one module that runs it and turns its errors into SvcgenError."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from svcgen.errors import SvcgenError
from svcgen.service import COMPOSE_FILE
from svcgen.workspace import OVERRIDE_FILES, STATE_FOLDER

IMAGES_FILE = f"{STATE_FOLDER}/images.yaml"

# compose.yaml, then what overrides it: the user's own file, and the names of this root's images.
FILES = (COMPOSE_FILE, *OVERRIDE_FILES, IMAGES_FILE)
OLDEST_COMPOSE = (2, 24)  # `include` with files that repeat the shared network, and start_interval
TIMEOUT = 10.0  # seconds that an engine may take for its first answer
LAST = 20  # lines of a failed command that are shown


@dataclass(frozen=True)
class DockerStatus:
    """Docker's version, or the problem that prevents its use."""

    version: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Compose:
    """`docker compose` for one project.

    `environment` is added to the caller's. `holding` has file descriptors that every child keeps
    open until it ends: the lock of the fleet, which must stay held when svcgen is killed.
    """

    root: Path
    project: str
    environment: Mapping[str, str] = field(default_factory=dict)
    holding: tuple[int, ...] = ()

    def run(self, *arguments: str, model: str | None = None) -> str:
        """Run a command and return its output; SvcgenError when it fails.

        `model` replaces the Compose files; it is the output of `docker compose config`.
        """
        done = subprocess.run(
            self._command(arguments, files=model is None),
            input=model,
            stdin=subprocess.DEVNULL if model is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=self._environment(),
            pass_fds=self.holding,
        )
        if done.returncode:
            raise SvcgenError(last_lines(done.stderr or done.stdout), "")
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; its stderr is piped, its stdout dropped."""
        return subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self._environment(),
            pass_fds=self.holding,
        )

    def lines(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command whose output, with its stderr, is read line by line."""
        return subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment(),
        )

    def _command(self, arguments: Sequence[str], *, files: bool = True) -> list[str]:
        project = ["--project-name", self.project, "--project-directory", str(self.root)]
        found = [name for name in FILES if name == FILES[0] or (self.root / name).exists()]
        paths = [str(self.root / name) for name in found] if files else ["-"]
        read = [word for path in paths for word in ("--file", path)]
        return ["docker", "compose", *project, *read, *arguments]

    def _environment(self) -> dict[str, str]:
        # Attestations contain the time: with them an unchanged service would look changed.
        defaults = {"COMPOSE_PROGRESS": "quiet", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        return {**os.environ, **defaults, **self.environment}


def docker(*arguments: str, tolerate: bool = False, stdin: str = "") -> str:
    """Run `docker` with this input and return its output, with `tolerate` also when it fails.

    Raises SvcgenError with the last lines of its error.
    """
    command = ["docker", *arguments]
    done = subprocess.run(command, input=stdin.encode(), capture_output=True, check=False)
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if done.returncode and not tolerate:
        raise SvcgenError(last_lines(err or out), "")
    return out


def container_log(container: str, count: int = 15) -> str:
    """Return the last lines that a container logged, on stdout or stderr."""
    done = subprocess.run(
        ["docker", "logs", "--tail", str(count), container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return last_lines(done.stdout, count)


def docker_status() -> DockerStatus:
    """Return whether a Docker engine answers and Compose is new enough; respect DOCKER_HOST."""
    try:
        version = _ask("version", "--format", "{{.Server.Version}}")
        compose = _ask("compose", "version", "--short")
    except FileNotFoundError:
        return DockerStatus(problem="docker is not on PATH")
    except subprocess.TimeoutExpired:
        return DockerStatus(problem=f"no Docker engine answers within {TIMEOUT:.0f} s")
    except SvcgenError as error:
        return DockerStatus(problem=error.problem)
    if tuple(map(int, re.findall(r"\d+", compose)[:2])) < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        return DockerStatus(problem=f"docker compose is {compose}, older than {oldest}")
    return DockerStatus(version=version)


def last_lines(text: str, count: int = LAST) -> str:
    """Return the last lines of a text, without empty ones."""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-count:])


def read_rest(pipe: IO[str] | None) -> str:
    """Read the rest of a pipe."""
    return pipe.read() if pipe else ""


def _ask(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=TIMEOUT,
    )
    if done.returncode:
        first = arguments[0]
        if first == "compose":
            raise SvcgenError("docker has no `compose`", "Install the Compose plugin.")
        raise SvcgenError(f"no Docker engine answers ({last_lines(done.stderr, 1)})")
    return done.stdout.strip()
