"""From what is there to what compose.yaml wants: build, start, replace, scale, remove."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.cli import Compose
from svcgen.run.docker.containers import DATABASE, MIGRATE, Container, containers
from svcgen.run.docker.plan import Plan, read_plan
from svcgen.run.docker.ready import wait_ready
from svcgen.run.docker.rolling import drain, migrate, remove, replicas, roll
from svcgen.run.engine import GATEWAY, Report

BUILDS = 4  # at once: more only share the same cores


def bring_up(
    compose: Compose, names: Sequence[str], scale: Mapping[str, int], report: Report
) -> None:
    """Make the fleet what compose.yaml says, with `scale[name]` replicas of each service.

    What runs unchanged is left alone; what changed is replaced without a lost request.
    """
    build(compose, names, report)
    plan = read_plan(compose)
    pull(compose, plan, report)
    remove([one for one in containers(compose.root) if not one.runs])
    before = {one.service for one in containers(compose.root)}
    start(compose, [name for name in (*names, GATEWAY) if name not in before], scale, report)
    _recreate_changed(compose, plan, names, report)
    for name in names:
        if name in before:
            adjust(compose, plan, name, scale[name], report)
    drain([one for one in containers(compose.root) if one.service not in plan.definitions], report)


def build(compose: Compose, names: Sequence[str], report: Report) -> None:
    """Build the images of services, some at once; SvcgenError names the one that fails."""
    with ThreadPoolExecutor(BUILDS) as pool:
        list(pool.map(lambda name: _build(compose, name, report), names))


def _build(compose: Compose, name: str, report: Report) -> None:
    report(name, "building")
    try:
        compose.run("build", name)
    except SvcgenError as error:
        raise SvcgenError(
            f"{name} cannot be built:\n{error.problem}",
            f"`docker compose build {name}` in {compose.root} shows all of it.",
        ) from error


def pull(compose: Compose, plan: Plan, report: Report) -> None:
    """Fetch the images that nobody builds and that are not here yet."""
    for one in plan.definitions.values():
        ours = {other.image for other in plan.definitions.values() if other.built}
        if one.image in plan.images or one.image in ours:
            continue
        report(one.name, f"pulling {one.image}")
        try:
            compose.run("pull", "--quiet", one.name)
        except SvcgenError as error:
            raise SvcgenError(
                f"{one.image} cannot be pulled for {one.name}:\n{error.problem}",
                "Make it available to the Docker engine, then run `svcgen up` again.",
            ) from error


def start(compose: Compose, names: Sequence[str], scale: Mapping[str, int], report: Report) -> None:
    """Start services that do not run yet, with their databases and migrations, and wait."""
    if not names:
        return
    sizes = [f"--scale={name}={scale[name]}" for name in names if name in scale]
    starting = compose.start("up", "--detach", "--no-build", "--no-recreate", *sizes, *names)
    wait_ready(lambda: _with_helpers(compose.root, names), report, starting)


def adjust(compose: Compose, plan: Plan, name: str, wanted: int, report: Report) -> None:
    """Replace the replicas of a service that are not as wanted, and bring it to `wanted`."""
    now = replicas(compose.root, name)
    stale = [container for container in now if plan.stale(container)]
    if stale:
        renew(compose, plan, name, wanted, report)
    elif len(now) != wanted:
        roll(compose, name, wanted, [], report)
    else:
        report(name, "unchanged")


def renew(compose: Compose, plan: Plan, name: str, wanted: int, report: Report) -> None:
    """Migrate, then put `wanted` new replicas in the place of all that run."""
    migration = plan.migration(name)
    if migration:
        migrate(compose, migration, report)
    roll(compose, name, wanted, replicas(compose.root, name), report)


def refuse_taken_port(port: int) -> None:
    """Raise SvcgenError when something else listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SvcgenError(
                f"Port {port} is in use by another program.",
                f"Choose another one for the gateway: `svcgen up --port {port + 1}`.",
            ) from error


def _with_helpers(root: Path, names: Sequence[str]) -> list[Container]:
    """Return the replicas of services, with their databases and migrations."""
    own = {f"{name}{ending}" for name in names for ending in ("", DATABASE, MIGRATE)}
    return [container for container in containers(root) if container.service in own]


def _recreate_changed(compose: Compose, plan: Plan, names: Sequence[str], report: Report) -> None:
    """Let Compose recreate a gateway or database whose definition changed: there is one of each."""
    for one in containers(compose.root):
        known = one.service in plan.definitions and one.service not in names
        if not known or one.migration or not plan.stale(one):
            continue
        report(one.service, "its definition changed: recreating it")
        starting = compose.start("up", "--detach", "--no-build", "--no-deps", one.service)
        name = one.service
        wait_ready(lambda name=name: replicas(compose.root, name), report, starting)  # type: ignore[misc]
