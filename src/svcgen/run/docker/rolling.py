"""Putting new replicas in the place of old ones without a lost request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import Container, containers
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.gateway import wait_routable
from svcgen.run.docker.wait import wait_ready
from svcgen.run.engine import Report


def roll(
    compose: Compose, service: str, wanted: int, old: Sequence[Container], report: Report
) -> None:
    """Bring a service to `wanted` replicas, none of them among `old`.

    New ones start beside the old ones, become ready, and are seen by the gateway; only then are
    old and surplus ones drained. When a new one fails, the new ones are taken away and SvcgenError
    says why.
    """
    now = replicas(compose.root, service)
    outgoing = {container.id for container in old}
    kept = [container for container in now if container.id not in outgoing]
    missing = wanted - len(kept)
    if missing > 0:
        _add(compose, service, now, len(now) + missing, report)
    drop = [container for container in now if container.id in outgoing] + kept[wanted:]
    drain(drop, report)


def replicas(root: Path, service: str) -> list[Container]:
    """Return the replicas of one service, by number."""
    return [container for container in containers(root) if container.service == service]


def drain(drop: Sequence[Container], report: Report) -> None:
    """Stop containers in their own way (SIGTERM, then their grace period) and remove them."""
    if not drop:
        return
    for service in sorted({container.service for container in drop}):
        report(service, "draining the old replica" if len(drop) == 1 else "draining old replicas")
    ids = [container.id for container in drop]
    docker("stop", *ids, tolerate=True)
    docker("rm", "--force", *ids, tolerate=True)


def migrate(compose: Compose, migration: str, report: Report) -> None:
    """Run a service's migration anew; SvcgenError with its last lines when it fails."""
    remove(replicas(compose.root, migration))
    starting = compose.start("up", "--detach", "--no-build", "--no-deps", migration)
    wait_ready(lambda: replicas(compose.root, migration), report, starting)


def remove(drop: Sequence[Container]) -> None:
    """Take containers away at once, running or not."""
    if drop:
        docker("rm", "--force", *[container.id for container in drop], tolerate=True)


def _add(
    compose: Compose, service: str, before: Sequence[Container], total: int, report: Report
) -> None:
    """Start replicas until there are `total`; take the new ones away when one fails."""
    known = {container.id for container in before}

    def new() -> list[Container]:
        return [one for one in replicas(compose.root, service) if one.id not in known]

    how = ("--no-build", "--no-deps", "--no-recreate", "--scale", f"{service}={total}", service)
    try:
        wait_ready(new, report, compose.start("up", "--detach", *how))
        wait_routable(compose.root, service, [one.host for one in new()])
    except SvcgenError as error:
        remove(new())
        stays = "The old one stays." if len(before) == 1 else "The old ones stay."
        if not before:
            raise
        raise SvcgenError(f"{error.problem}\nIt was taken away. {stays}", error.advice) from error
    except BaseException:
        remove(new())
        raise
