"""From what is there to what compose.yaml wants: build, start, replace, scale, remove."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import DATABASE, LABEL, MIGRATE, Container, containers
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.gateway import wait_routable
from svcgen.run.docker.plan import ComposePlan, read_plan
from svcgen.run.docker.rolling import drain, migrate, remove, replicas, roll
from svcgen.run.docker.wait import wait_ready
from svcgen.run.engine import GATEWAY, Report

BUILDS = 4  # at once: more only share the same cores
BUILDS_BESIDE = 1  # while a fleet answers requests: it needs those cores, too


def bring_up(
    compose: Compose, names: Sequence[str], scale: Mapping[str, int], report: Report
) -> None:
    """Start services that do not run, with `scale[name]` replicas, and the gateway; wait for them.

    Of those that run, what is unchanged is left alone; the rest is replaced, losing no request.
    """
    build(compose, names, report)
    plan = read_plan(compose)
    pull(compose, plan, report)
    started = start_missing(compose, plan, names, scale, report)
    for name in names:
        if name not in started:
            adjust(compose, plan, name, scale[name], report)


def bring_in_line(compose: Compose, report: Report) -> None:
    """Recreate a changed gateway or database, and remove what compose.yaml has no more."""
    plan = read_plan(compose)
    built = {one.name for one in plan.definitions.values() if one.built}
    _recreate_changed(compose, plan, built, report)
    drain([one for one in containers(compose.root) if one.service not in plan.definitions], report)


def build(compose: Compose, names: Sequence[str], report: Report) -> None:
    """Build the images of services; SvcgenError names the one that fails."""
    running = any(one.runs for one in containers(compose.root))
    with ThreadPoolExecutor(BUILDS_BESIDE if running else BUILDS) as pool:
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


def pull(compose: Compose, plan: ComposePlan, report: Report) -> None:
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


def start_missing(
    compose: Compose,
    plan: ComposePlan,
    names: Sequence[str],
    scale: Mapping[str, int],
    report: Report,
) -> list[str]:
    """Start services, their databases and the gateway where they do not run; say which."""
    wanted = [*names, *(name + DATABASE for name in names), GATEWAY]
    ours = [one for one in _with_helpers(compose.root, names) if not one.runs]
    remove(ours)
    running = {one.service for one in containers(compose.root) if one.runs}
    missing = [name for name in wanted if name in plan.definitions and name not in running]
    start(compose, missing, scale, report)
    return missing


def start(compose: Compose, names: Sequence[str], scale: Mapping[str, int], report: Report) -> None:
    """Start services that do not run yet, with their databases and migrations, and wait."""
    if not names:
        return
    counts = [f"--scale={name}={scale[name]}" for name in names if name in scale]
    starting = compose.start("up", "--detach", "--no-build", "--no-recreate", *counts, *names)
    wait_ready(lambda: _with_helpers(compose.root, names), report, starting)
    for name in names:
        if name != GATEWAY and not name.endswith(DATABASE):
            wait_routable(compose.root, name, [one.host for one in replicas(compose.root, name)])


def adjust(compose: Compose, plan: ComposePlan, name: str, wanted: int, report: Report) -> None:
    """Replace the replicas of a service that are not as wanted, and bring it to `wanted`."""
    now = replicas(compose.root, name)
    stale = [container for container in now if plan.stale(container)]
    if stale:
        renew(compose, plan, name, wanted, report)
    elif len(now) != wanted:
        roll(compose, name, wanted, [], report)
    else:
        report(name, "unchanged")


def renew(compose: Compose, plan: ComposePlan, name: str, wanted: int, report: Report) -> None:
    """Migrate, then put `wanted` new replicas in the place of all that run."""
    migration = plan.migration(name)
    if migration:
        migrate(compose, migration, report)
    roll(compose, name, wanted, replicas(compose.root, name), report)


def require_free_port(port: int) -> None:
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
    """Return the replicas of services, with their databases and migrations, and the gateway."""
    own = {GATEWAY, *(f"{name}{end}" for name in names for end in ("", DATABASE, MIGRATE))}
    return [container for container in containers(root) if container.service in own]


def _recreate_changed(
    compose: Compose, plan: ComposePlan, services: Collection[str], report: Report
) -> None:
    """Let Compose recreate a gateway or database whose definition changed: it has one replica."""
    for one in containers(compose.root):
        name = one.service
        ours = name in plan.definitions and name not in services and not one.migration
        if ours and one.runs and plan.stale(one):
            report(name, "recreated: its definition changed")
            starting = compose.start("up", "--detach", "--no-build", "--no-deps", name)
            wait_ready(partial(replicas, compose.root, name), report, starting)


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
