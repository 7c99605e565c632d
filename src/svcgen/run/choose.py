"""Which engine runs the fleet of a workspace: the running, the requested, the last, else Docker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.engine import ENGINES, Engine, FleetState
from svcgen.run.memory import recall


@dataclass(frozen=True)
class EngineChoice:
    """An engine, why it is this one, and what it runs."""

    engine: Engine
    reason: str
    state: FleetState


def choose_engine(root: Path, requested: str | None = None) -> EngineChoice:
    """Return the engine to use below a workspace root.

    It is the one that already runs the fleet; else the requested one; else that of the last
    `svcgen up`; else Docker. Where no Docker engine answers, it is local. Raises SvcgenError when
    the fleet runs in another engine than the requested one, or when the requested one does not
    exist or does not answer.
    """
    from svcgen.run.docker.docker import docker_status

    if requested not in {None, *ENGINES}:
        raise SvcgenError(
            f"There is no engine '{requested}'.", f"Choose one: {' or '.join(ENGINES)}."
        )
    local = _observed(root, "local")
    if local.state.running:
        return _running(local, requested)
    status = docker_status()
    if status.problem and requested == "docker":
        raise SvcgenError(status.problem, "Start Docker, or use --engine local.")
    if status.problem:
        return EngineChoice(
            local.engine, "--engine local" if requested else status.problem, local.state
        )
    docker = _observed(root, "docker")
    if docker.state.running:
        return _running(docker, requested)
    if requested:
        chosen = docker if requested == "docker" else local
        return EngineChoice(chosen.engine, f"--engine {requested}", chosen.state)
    if recall(root).engine == local.engine.name:
        reason = "as in the last `svcgen up`; --engine docker changes it"
        return EngineChoice(local.engine, reason, local.state)
    return EngineChoice(docker.engine, f"Docker {status.version} answers", docker.state)


def engine_named(root: Path, name: str) -> Engine:
    """Return the engine of this name for a workspace root."""
    if name == "docker":
        from svcgen.run.docker.engine import DockerEngine

        return DockerEngine(root)
    from svcgen.run.local.engine import LocalEngine

    return LocalEngine(root)


def _observed(root: Path, name: str) -> EngineChoice:
    engine = engine_named(root, name)
    return EngineChoice(engine, f"the fleet runs with the {name} engine", engine.observe())


def _running(choice: EngineChoice, requested: str | None) -> EngineChoice:
    if requested not in {None, choice.engine.name}:
        raise SvcgenError(
            f"The fleet already runs with the {choice.engine.name} engine.",
            f"Stop it: svcgen down. Then start it: svcgen up --engine {requested}",
        )
    return choice
