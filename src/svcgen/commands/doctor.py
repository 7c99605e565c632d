"""`svcgen doctor`: what this machine and this workspace lack, and what to type."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from svcgen import toolchains
from svcgen.compose.write import inspect_fleet
from svcgen.errors import SvcgenError, counted
from svcgen.ports import is_free, next_free_port
from svcgen.run.choose import engine_named
from svcgen.run.docker.docker import docker_status
from svcgen.run.local.engine import missing_programs
from svcgen.run.memory import last_port
from svcgen.workspace import Workspace, open_workspace

State = Literal["ok", "missing", "not needed"]
STACKS = ("python", "go", "typescript", "java")
NUMBER = re.compile(r"\d+(\.\d+)+")
# Name of the program, arguments that print its version, and how to install it.
GIT = ("git", ("--version",), "Install it: https://git-scm.com/downloads")
PYTHON = "Put python3 on PATH: https://www.python.org/downloads"
CLIENTS = (
    ("helm", ("version", "--short"), "For charts, install it: https://helm.sh/docs/intro/install"),
    ("kubectl", ("version", "--client"), "For clusters: https://kubernetes.io/docs/tasks/tools"),
)


@dataclass(frozen=True)
class Condition:
    """One thing that was looked at; what is `not needed` is absent, and nothing here needs it."""

    name: str
    state: State
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class DoctorResult:
    """All that was looked at, the machine first."""

    conditions: tuple[Condition, ...]

    @property
    def missing(self) -> tuple[Condition, ...]:
        """What prevents work."""
        return tuple(one for one in self.conditions if one.state == "missing")


def doctor(start: Path) -> DoctorResult:
    """Look at the programs of this machine and at the workspace of a folder."""
    workspace, found = _workspace(start)
    stacks = {service.stack for service in workspace.services} if workspace else set()
    docker, local = _docker(), _local()
    if docker.state == local.state == "not needed":
        docker, local = (replace(one, state="missing") for one in (docker, local))
    engines = [name for name, one in (("docker", docker), ("local", local)) if one.state == "ok"]
    port = [_port(workspace, engines)] if workspace else []
    own = f"{version('svcgen')} with Python {platform.python_version()}"
    return DoctorResult(
        (
            Condition("svcgen", "ok", own),
            _program(*GIT, needed=True),
            docker,
            local,
            *(_toolchain(one, needed=one in stacks and docker.state != "ok") for one in STACKS),
            *(_program(*one, needed=False) for one in CLIENTS),
            *found,
            *port,
        )
    )


def _docker() -> Condition:
    status = docker_status()
    if status.problem:
        advice = "Start Docker, or install it: https://docs.docker.com/engine/install"
        return Condition("engine docker", "not needed", status.problem, advice)
    return Condition("engine docker", "ok", f"Docker {status.version} answers")


def _local() -> Condition:
    faults = missing_programs()
    if faults:
        problem = " ".join(fault.problem for fault in faults)
        advice = " ".join(dict.fromkeys(fault.advice for fault in faults))
        return Condition("engine local", "not needed", problem, advice)
    return Condition("engine local", "ok", "make, Envoy and PostgreSQL are installed")


def _toolchain(stack: str, *, needed: bool) -> Condition:
    """Look at what `make` in services of a stack needs; Docker builds without it."""
    if stack not in toolchains.NEEDED:
        return _program(f"stack {stack}", ("--version",), PYTHON, needed=needed, program="python3")
    try:
        found = toolchains.versions(stack, os.environ)
        exports = toolchains.exports(stack, os.environ)
    except SvcgenError as error:
        state: State = "missing" if needed else "not needed"
        return Condition(f"stack {stack}", state, error.problem, error.advice)
    shown = ", ".join(f"{name} {number}" for name, number in found.items())
    advice = f"For `make` in a service, type: {exports}" if exports else ""
    return Condition(f"stack {stack}", "ok", shown, advice)


def _program(
    name: str, ask: tuple[str, ...], advice: str, *, needed: bool, program: str = ""
) -> Condition:
    """Look at a program, by default that of the condition's name, and its version."""
    state: State = "missing" if needed else "not needed"
    program = program or name
    found = shutil.which(program)
    if found is None:
        return Condition(name, state, f"{program} is not on PATH", advice)
    try:
        done = toolchains.run_program(found, ask)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError) as error:
        late = isinstance(error, subprocess.TimeoutExpired)
        reason = f"no version within {toolchains.TIMEOUT:g} s" if late else str(error)
        return Condition(name, state, f"{found} does not run: {reason}", "Repair or remove it.")
    number = NUMBER.search(done.stdout)
    shown = number[0] if number else found
    return Condition(name, "ok", shown if program == name else f"{program} {shown}")


def _workspace(start: Path) -> tuple[Workspace | None, list[Condition]]:
    """Open the workspace, and look whether its services fit together."""
    try:
        workspace = open_workspace(start)
    except SvcgenError as error:
        return None, [Condition("workspace", "missing", error.problem, error.advice)]
    if not workspace.services:
        return workspace, [Condition("workspace", "ok", f"{workspace.root} has no services")]
    faults = inspect_fleet(workspace).faults
    services = counted(len(workspace.services), "service")
    fits = Condition("workspace", "ok", f"{workspace.root}, {services}")
    broken = [Condition("workspace", "missing", str(one), "Correct the file.") for one in faults]
    return workspace, broken or [fits]


def _port(workspace: Workspace, engines: list[str]) -> Condition:
    """Look at the port that the next `svcgen up` uses."""
    configured = workspace.settings.gateway.port
    port = last_port(workspace.root, configured) or configured
    if port in {engine_named(workspace.root, name).observe().port for name in engines}:
        return Condition("port", "ok", f"the gateway of this workspace listens on {port}")
    if is_free(port):
        return Condition("port", "ok", f"{port} is free")
    problem = f"another program listens on port {port}, where the gateway would"
    return Condition("port", "missing", problem, f"svcgen up --port {next_free_port(port)}")
