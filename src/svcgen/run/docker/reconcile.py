"""From what runs to what compose.yaml defines: build, start, replace, scale, remove."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.ports import is_free
from svcgen.run.docker.containers import (
    DATABASE,
    LABEL,
    MIGRATE,
    Container,
    Observed,
    observe,
)
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.gateway import wait_routable
from svcgen.run.docker.plan import (
    ComposePlan,
    Definition,
    read_definitions,
    read_plan,
    with_needs,
)
from svcgen.run.docker.rolling import drain, remove, scale_and_replace, stop
from svcgen.run.docker.wait import wait_ready
from svcgen.run.engine import GATEWAY, FleetRequest, Report

PROGRESS_SECONDS = 5.0
BUILDS = 4  # at once: more only share the same cores
BUILDS_BESIDE = 1  # while a fleet answers requests: it needs those cores, too


def reconcile(
    compose: Compose, request: FleetRequest, counts: Mapping[str, int], report: Report
) -> None:
    """Bring the services of `counts` to so many replicas of the present build, and wait for them.

    Services that run unchanged are left alone; the rest is started, or replaced without a lost
    request. What they depend on is started too. Unless the request is about some services only,
    so is everything else that compose.yaml defines; a changed gateway, database or other helper
    is recreated, and what compose.yaml does not define is removed.
    """
    definitions = read_definitions(compose)
    helpers = (name + DATABASE for name in counts)  # one may be used without `depends_on`
    wanted = with_needs(
        definitions, [*counts, *helpers, GATEWAY] if request.only else [*counts, *definitions]
    )
    others = {service.name for service in request.fleet.services} - counts.keys()
    images = [name for name in wanted if name not in others]
    build(compose, to_build(definitions, images), report, beside=request.before.running)
    plan = read_plan(definitions)
    pull(compose, plan, report)
    seen = observe(compose.root)
    if not request.only:
        recreate_changed(compose, plan, counts, seen, report)
        drain(seen.of(*(seen.services - plan.definitions.keys())), report)
    started = start_missing(compose, wanted, counts, seen, report)
    for name in [name for name in counts if name not in started]:
        replicas = [container for container in seen.of(name) if container.runs]
        if name in request.replaced or any(map(plan.stale, replicas)):
            if migration := plan.migration(name):
                remove(seen.of(migration))
                recreate(compose, migration, report)
            scale_and_replace(compose, replicas, counts[name], replicas, report)
        elif len(replicas) != counts[name]:
            scale_and_replace(compose, replicas, counts[name], [], report)
        else:
            report(name, "unchanged")


def to_build(definitions: Mapping[str, Definition], names: Sequence[str]) -> list[str]:
    """Return the services to build: of those with the same image the first."""
    built: dict[str, str] = {}
    for name in names:
        if definitions[name].built:
            built.setdefault(definitions[name].image, name)
    return list(built.values())


def build(compose: Compose, names: Sequence[str], report: Report, *, beside: bool) -> None:
    """Build the images of services, fewer at once `beside` a running fleet.

    Raises SvcgenError that names the first that fails.
    """

    def build_one(name: str) -> None:
        report(name, "building")
        try:
            compose.run("build", name)
        except SvcgenError as error:
            raise SvcgenError(
                f"{name} cannot be built:\n{error.problem}",
                f"See the whole output: docker compose build {name}, in {compose.root}",
            ) from error

    with ThreadPoolExecutor(BUILDS_BESIDE if beside else BUILDS) as pool:
        list(pool.map(build_one, names))


def pull(compose: Compose, plan: ComposePlan, report: Report) -> None:
    """Pull the images that are neither built here nor on this machine."""
    built = {definition.image for definition in plan.definitions.values() if definition.built}
    for definition in plan.definitions.values():
        if definition.image in plan.images or definition.image in built:
            continue
        report(definition.name, f"pulling {definition.image}")
        try:
            compose.run("pull", "--quiet", definition.name)
        except SvcgenError as error:
            raise SvcgenError(
                f"{definition.image} cannot be pulled for {definition.name}:\n{error.problem}",
                "Make it available to the Docker engine, then run svcgen up again.",
            ) from error


def recreate_changed(
    compose: Compose,
    plan: ComposePlan,
    counts: Mapping[str, int],
    seen: Observed,
    report: Report,
) -> None:
    """Recreate a gateway, database or other helper whose definition changed: it has one replica."""
    for container in seen.containers:
        definition = plan.definitions.get(container.service)
        if definition is None or container.service in counts:
            continue
        if container.migration or container.relay or not container.runs:
            continue
        if plan.stale(container):
            report(definition.name, "recreated: its definition changed")
            recreate(compose, definition.name, report)


def recreate(compose: Compose, service: str, report: Report) -> None:
    """Recreate the one container of a service with Compose, and wait until it is ready."""
    starting = compose.start("up", "--detach", "--no-build", "--no-deps", service)
    wait_ready(lambda: observe(compose.root).of(service), report, starting)


def start_missing(
    compose: Compose,
    wanted: Sequence[str],
    counts: Mapping[str, int],
    seen: Observed,
    report: Report,
) -> set[str]:
    """Start those of the wanted services that do not run; return their names.

    What has done its work, as a migration has, is started only with the service that depends on it.
    """
    ended = [container for container in seen.of(*wanted) if not container.runs]
    done = {each.service for each in ended if each.done and each.service not in counts}
    remove([container for container in ended if container.service not in done])
    missing = [
        name for name in wanted if name not in seen.running | done and not name.endswith(MIGRATE)
    ]
    if not missing:
        return set()
    scale = [f"--scale={name}={counts[name]}" for name in missing if name in counts]
    starting = compose.start("up", "--detach", "--no-build", "--no-recreate", *scale, *missing)

    def started() -> list[Container]:
        found = observe(compose.root).of(*missing, *(name + MIGRATE for name in missing))
        return [each for each in found if each.migration or each.service in counts or not each.done]

    wait_ready(started, report, starting)
    ready = observe(compose.root)
    services = [name for name in missing if name in counts]
    hosts = {name: [container.host for container in ready.of(name)] for name in services}
    wait_routable(ready.gateway, hosts)
    return set(missing)


def require_free_port(port: int) -> None:
    """Raise SvcgenError when a program listens on a port of 127.0.0.1."""
    if not is_free(port):
        raise SvcgenError(
            f"Port {port} is in use by another program.",
            f"Choose another one for the gateway: svcgen up --port {port + 1}",
        )


def take_down(root: Path, project: str, report: Report) -> None:
    """Stop and remove all containers of a root, then the project's networks.

    Databases and what else others depend on go last, so that services can finish their requests.
    """
    seen = observe(root).containers
    needed = {name for container in seen for name in container.needs}
    last = [
        container.id
        for container in seen
        if container.service in needed or container.service.endswith(DATABASE)
    ]
    for ids in ([container.id for container in seen if container.id not in last], last):
        stopping = [container for container in seen if container.id in ids]
        for service in sorted({container.service for container in stopping if container.runs}):
            report(service, "stopping")
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(stop, ids)
            began = time.monotonic()
            while wait([done], timeout=PROGRESS_SECONDS).not_done:
                seconds = time.monotonic() - began
                for service in sorted(observe(root).running & {each.service for each in stopping}):
                    report(service, f"stopping for {seconds:.0f} s; killed after its grace period")
            done.result()
        for service in sorted({container.service for container in stopping}):
            report(service, "stopped")
    for network in _of_project("network", project):
        docker("network", "rm", network, tolerate=True)


def remove_volumes(project: str, report: Report) -> None:
    """Remove the data of all databases of a project."""
    for volume in _of_project("volume", project):
        docker("volume", "rm", volume, tolerate=True)
        report(volume, "removed with its data")


def _of_project(kind: str, project: str) -> list[str]:
    if not project:
        return []
    return docker(kind, "ls", "--quiet", "--filter", f"label={LABEL}project={project}").split()
