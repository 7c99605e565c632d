"""`svcgen routes --live`: what passes each route, as the gateway counts it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svcgen.errors import SvcgenError
from svcgen.run.choose import choose_engine
from svcgen.workspace import Workspace

if TYPE_CHECKING:
    from svcgen.gateway.admin import ClusterHost, RouteStats
    from svcgen.gateway.traffic import Traffic
    from svcgen.run.engine import Engine


REPLACED_SECONDS = 30.0  # in which a gateway that is replaced answers again


@dataclass(frozen=True)
class LiveRoute:
    """A route of the running gateway, its traffic, and the replicas of its service."""

    service: str
    name: str
    traffic: Traffic
    healthy: int
    replicas: int


@dataclass(frozen=True)
class LiveResult:
    """What passed the gateway in an interval of `seconds`, in the order of its routes.

    `others` are the requests that the gateway answered itself, because no route takes them.
    """

    engine: str
    url: str
    seconds: float
    routes: tuple[LiveRoute, ...]
    others: Traffic


def live_routes(workspace: Workspace, seconds: float) -> Iterator[LiveResult]:
    """Yield what passed each route, once in `seconds`, as long as the gateway runs.

    It needs no registration: the gateway itself reports its routes. Raises SvcgenError when no
    gateway runs, or when it does not answer.
    """
    choice = choose_engine(workspace.root)
    choice.state.require_gateway()
    engine, url = choice.engine, workspace.settings.gateway.url(choice.state.port or 0)
    before: _Look | None = _look(engine)
    answered = time.monotonic()
    while True:
        time.sleep(seconds)
        try:
            after = _look(engine, before)
        except SvcgenError:
            engine.observe().require_gateway()
            if time.monotonic() - answered > seconds + REPLACED_SECONDS:
                raise
            before = None  # it is being replaced
            continue
        if before:
            yield _result(engine.name, url, before, after)
        before, answered = after, after.at


@dataclass(frozen=True)
class _Look:
    """What the gateway reports at one moment, in seconds."""

    at: float
    stats: RouteStats
    routes: Mapping[str, str]
    hosts: Mapping[str, Sequence[ClusterHost]]


def _look(engine: Engine, before: _Look | None = None) -> _Look:
    """Ask the gateway; for its routes, which cost it a long answer, only when they changed."""
    from svcgen.gateway import admin

    hosts = admin.parse_clusters(engine.ask_gateway(admin.CLUSTERS_PAGE))
    stats = admin.parse_route_stats(engine.ask_gateway(admin.ROUTE_STATS_PAGE))
    at = time.monotonic()
    if before and before.stats.files == stats.files:
        return _Look(at, stats, before.routes, hosts)
    routes = admin.parse_edge_routes(engine.ask_gateway(admin.EDGE_ROUTES_PAGE))
    return _Look(at, stats, routes, hosts)


def _result(engine: str, url: str, before: _Look, after: _Look) -> LiveResult:
    from svcgen.gateway.traffic import OTHERS, traffic_between

    passed = traffic_between(before.stats, after.stats, after.routes)
    rows = []
    for route, service in after.routes.items():
        hosts = after.hosts.get(service, ())
        healthy = sum(host.healthy for host in hosts)
        name = route.removeprefix(f"{service}-")
        rows.append(LiveRoute(service, name, passed[route], healthy, len(hosts)))
    return LiveResult(engine, url, after.at - before.at, tuple(rows), passed[OTHERS])
