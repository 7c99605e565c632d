"""Ending a fleet by what Docker knows of it: it needs no compose.yaml that can be read."""

from __future__ import annotations

from pathlib import Path

from svcgen.run.docker.cli import docker
from svcgen.run.docker.containers import DATABASE, LABEL, containers
from svcgen.run.engine import Report


def take_down(root: Path, project: str, report: Report) -> None:
    """Stop and remove all containers of a root, databases last, then the project's networks.

    Databases go last, so that services can finish what they were asked before.
    """
    found = containers(root)
    databases = {one.id for one in found if one.service.endswith(DATABASE)}
    _end([one.id for one in found if one.id not in databases])
    _end(list(databases))
    for service in sorted({one.service for one in found}):
        report(service, "ended")
    for network in _owned("network", project):
        docker("network", "rm", network, tolerate=True)


def remove_volumes(project: str, report: Report) -> None:
    """Remove the data of all databases of a project."""
    for volume in _owned("volume", project):
        docker("volume", "rm", volume, tolerate=True)
        report(volume, "removed with its data")


def _end(ids: list[str]) -> None:
    if ids:
        docker("stop", *ids, tolerate=True)
        docker("rm", "--force", *ids, tolerate=True)


def _owned(kind: str, project: str) -> list[str]:
    if not project:
        return []
    return docker(kind, "ls", "--quiet", "--filter", f"label={LABEL}project={project}").split()
