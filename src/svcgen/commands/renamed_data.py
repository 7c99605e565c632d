"""The data of a renamed service: the local engine renames it, in Docker the user copies it."""

from __future__ import annotations

from pathlib import Path

from svcgen.run.docker.docker import docker_status
from svcgen.run.docker.engine import DockerEngine
from svcgen.run.engine import Leaving, Report
from svcgen.run.local.engine import LocalEngine
from svcgen.update.moves import Rename

IMAGE = "postgres:18"  # that of the template's compose.yaml


def has_local_data(root: Path, name: str) -> bool:
    """Report whether the local engine has a database of this name."""
    return bool(LocalEngine(root).data_of(Leaving(name)))


def rename_data(root: Path, names: Rename, report: Report) -> tuple[str, ...]:
    """Rename the local engine's database; return how the data in Docker comes to the new one."""
    LocalEngine(root).rename_data(names.old, names.new, report)
    if docker_status().problem:
        return ()
    old = Leaving(names.old, volumes=(f"{names.old}-db",))
    return tuple(
        step for volume in DockerEngine(root).data_of(old) for step in _copying(volume, names)
    )


def _copying(volume: str, names: Rename) -> tuple[str, ...]:
    """Return the commands that copy a database, whose volume, role and name have the old name."""
    project = volume.removesuffix(f"_{names.old}-db")
    dump = f"pg_dump --username {names.old} --clean --if-exists --no-owner {names.old}"
    load = f"psql --quiet --output /dev/null --username {names.new} {names.new}"
    mount = f"{volume}:/var/lib/postgresql"
    return (
        f"svcgen up, then copy the data, which is in the volume {volume}:",
        f"docker run --detach --rm --name {project}-old --volume {mount} {IMAGE}",
        f"docker exec {project}-old {dump} | "
        f"docker exec --interactive {project}-{names.new}-db-1 {load}",
        f"docker stop {project}-old",
        f"docker volume rm {volume}, when you no longer need it",
    )
