"""Which engine runs the fleet of a workspace: the running one, the wanted one, else Docker."""

from __future__ import annotations

from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.engine import ENGINES, Engine


def choose_engine(root: Path, wanted: str | None = None) -> tuple[Engine, str]:
    """Return the engine to use below a workspace root, and why it is this one.

    The one that already runs the fleet; else the wanted one; else Docker where an engine answers;
    else local. Raises SvcgenError when the fleet runs in another engine than the wanted one, or
    when the wanted one is not there.
    """
    if wanted not in {None, *ENGINES}:
        raise SvcgenError(f'There is no engine "{wanted}".', f"Choose {' or '.join(ENGINES)}.")
    from svcgen.run.docker.docker import docker_status
    from svcgen.run.docker.engine import DockerEngine
    from svcgen.run.local.engine import LocalEngine

    local: Engine = LocalEngine(root)
    if local.running():
        return _running(local, wanted)
    answer = docker_status()
    if answer.problem:
        return _without_docker(local, answer.problem, wanted)
    docker: Engine = DockerEngine(root)
    if docker.running():
        return _running(docker, wanted)
    if wanted:
        return (docker if wanted == "docker" else local), f"--engine {wanted}"
    return docker, f"Docker {answer.version} answers"


def _without_docker(local: Engine, problem: str, wanted: str | None) -> tuple[Engine, str]:
    if wanted == "docker":
        raise SvcgenError(problem, "Start Docker, or use `--engine local`.")
    return local, "--engine local" if wanted else problem


def _running(engine: Engine, wanted: str | None) -> tuple[Engine, str]:
    if wanted not in {None, engine.name}:
        raise SvcgenError(
            f"The fleet already runs with the {engine.name} engine.",
            f"`svcgen down` ends it; then `svcgen up --engine {wanted}`.",
        )
    return engine, f"the fleet runs with the {engine.name} engine"
