"""The steps of a rolling replacement with containers."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence

from svcgen.run.docker.containers import Container, Observed, observe
from svcgen.run.docker.docker import Compose, docker
from svcgen.run.docker.gateway import wait_routable
from svcgen.run.docker.wait import wait_ready
from svcgen.run.engine import Report
from svcgen.run.rolling import roll


def scale_and_replace(
    compose: Compose,
    replicas: Sequence[Container],
    count: int,
    old: Sequence[Container],
    report: Report,
) -> None:
    """Bring a service with these replicas, at least one, to `count`, none of them among `old`.

    All new replicas start at once: Compose starts them faster together. SvcgenError when one fails.
    """
    outgoing = {container.id for container in old}
    staying = [container for container in replicas if container.id not in outgoing]
    missing = max(0, count - len(staying))
    rollout = ContainerRollout(compose, replicas[0].service, report)
    _run(roll(rollout, [*old, *staying[count:]], missing, surge=missing))


class ContainerRollout:
    """The steps of `roll` for the containers of one service; each returns when it is done."""

    def __init__(self, compose: Compose, service: str, report: Report) -> None:
        self._compose = compose
        self._service = service
        self._report = report
        self._before: set[str] | None = None

    async def start(self, count: int) -> None:
        """Start `count` containers next to those that exist."""
        seen = observe(self._compose.root).of(self._service)
        self._before = {container.id for container in seen}
        total = f"{self._service}={len(seen) + count}"
        options = ("--no-build", "--no-deps", "--no-recreate", "--scale", total)
        self._starting = self._compose.start("up", "--detach", *options, self._service)

    async def wait_ready(self) -> None:
        """Wait until Docker reports the new containers as healthy."""
        root = self._compose.root
        wait_ready(lambda: self._new(observe(root)), self._report, self._starting)

    async def wait_routable(self) -> None:
        """Wait until the gateway sends requests to the new containers."""
        seen = observe(self._compose.root)
        hosts = [container.host for container in self._new(seen)]
        wait_routable(seen.gateway, {self._service: hosts})

    async def drain(self, replicas: Sequence[Container]) -> None:
        """Stop containers and remove them."""
        drain(replicas, self._report)

    async def roll_back(self) -> None:
        """Remove the new containers."""
        remove(self._new(observe(self._compose.root)))

    def _new(self, seen: Observed) -> list[Container]:
        if self._before is None:  # `start` failed before it started anything
            return []
        return [
            container for container in seen.of(self._service) if container.id not in self._before
        ]


def _run(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine that never suspends.

    asyncio.run would catch Ctrl-C, and end a step that blocks only after it is done.
    """
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("A step of the Docker engine suspended.")


def drain(containers: Sequence[Container], report: Report) -> None:
    """Stop containers (SIGTERM, then their grace period) and remove them."""
    if not containers:
        return
    replicas = "the old replica" if len(containers) == 1 else "old replicas"
    for service in sorted({container.service for container in containers}):
        report(service, f"draining {replicas}")
    stop([container.id for container in containers])


def stop(ids: Sequence[str]) -> None:
    """Stop containers and remove them; some may be removed already."""
    if ids:
        docker("stop", *ids, tolerate=True)
        docker("rm", "--force", *ids, tolerate=True)


def remove(containers: Sequence[Container]) -> None:
    """Remove containers at once, running or not."""
    if containers:
        docker("rm", "--force", *[container.id for container in containers], tolerate=True)
