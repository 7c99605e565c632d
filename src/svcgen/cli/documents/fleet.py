"""Documents of the commands about a fleet: compose, up, down, ps, logs, restart, env, token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from svcgen.cli.documents.routes import GatewayRoute, route_rows

if TYPE_CHECKING:
    from svcgen.commands.compose import ComposeResult
    from svcgen.commands.down import DownResult
    from svcgen.commands.env import EnvResult
    from svcgen.commands.logs import LogsResult
    from svcgen.commands.ps import PsResult
    from svcgen.commands.restart import RestartResult
    from svcgen.commands.up import UpResult
    from svcgen.compose.fleet import Fault
    from svcgen.gateway.tokens import Token
    from svcgen.run.engine import Replica


@dataclass(frozen=True)
class FleetFault:
    """Something that does not fit together."""

    files: Annotated[tuple[str, ...], "The files to correct, relative to the workspace."]
    problem: Annotated[str, "What is wrong."]


@dataclass(frozen=True)
class ComposeDocument:
    """What `svcgen compose` wrote, or with `--check` would write."""

    root: Annotated[str, "Absolute path of the workspace."]
    services: Annotated[tuple[str, ...], "Names of the services in compose.yaml."]
    routes: Annotated[int, "Number of routes at the gateway."]
    written: Annotated[tuple[str, ...], "Files that were written; with `--check`, that differ."]
    differences: Annotated[
        Mapping[str, str], "Only with `--check`: a unified diff for each file that differs."
    ]
    faults: Annotated[tuple[FleetFault, ...], "Only with `--check`: what does not fit together."]
    broken: Annotated[
        tuple[FleetFault, ...], "Client contracts that the called service no longer satisfies."
    ]
    refreshed: Annotated[
        tuple[str, ...], "Only with `--refresh`: services with newer OpenAPI documents."
    ]
    unrouted: Annotated[
        tuple[FleetFault, ...], "Operations of openapi.json that no route leads to."
    ]
    changes: Annotated[tuple[str, ...], "Only with `--check`: in words, what differs."]
    absent: Annotated[tuple[FleetFault, ...], "Called services that are not in the workspace."]


def compose_document(result: ComposeResult) -> ComposeDocument:
    """Build the document of `svcgen compose`."""
    return ComposeDocument(
        root=str(result.root),
        services=result.services,
        routes=result.routes,
        written=result.written,
        differences=dict(result.differences),
        faults=_faults(result.faults),
        broken=_faults(result.broken),
        refreshed=result.refreshed,
        unrouted=_faults(result.unrouted),
        changes=result.changes,
        absent=_faults(result.absent),
    )


def _faults(faults: Iterable[Fault]) -> tuple[FleetFault, ...]:
    return tuple(FleetFault(fault.files, fault.problem) for fault in faults)


@dataclass(frozen=True)
class RunningReplica:
    """A replica of a service, of a database or of the gateway."""

    service: Annotated[str, "Name of the service; `gateway` for the gateway."]
    number: Annotated[int, "Number of the replica, from 1."]
    state: Annotated[str, "`starting`, `ready`, `unready`, `restarting` or `exited`."]
    restarts: Annotated[int, "How often it restarted after a failure."]
    address: Annotated[str, "Address on this machine; empty if it has none."]
    pid: Annotated[int, "Process on this machine; 0 if none runs."]


@dataclass(frozen=True)
class WantedKey:
    """A group of keys that has no key for a route: `svcgen key add` makes one."""

    group: Annotated[str, "Name of the group."]
    tier: Annotated[str, "Tier that a route asks for; empty for any."]


@dataclass(frozen=True)
class UpDocument:
    """The fleet that runs after `svcgen up`."""

    engine: Annotated[str, "`docker` or `local`."]
    reason: Annotated[str, "Why this engine was chosen."]
    url: Annotated[str, "Address of the gateway."]
    routes: Annotated[tuple[GatewayRoute, ...], "In the order in which the gateway tries them."]
    replicas: Annotated[tuple[RunningReplica, ...], "All replicas, by service and number."]
    broken: Annotated[
        tuple[FleetFault, ...], "Client contracts that the called service no longer satisfies."
    ]
    absent: Annotated[tuple[FleetFault, ...], "Called services that are not in the workspace."]
    wanted_keys: Annotated[
        tuple[WantedKey, ...], "Groups of keys that a route accepts and that have no key yet."
    ]
    token: Annotated[str, "Command that prints a token for the routes; empty if none needs one."]


def up_document(result: UpResult) -> UpDocument:
    """Build the document of `svcgen up`."""
    return UpDocument(
        engine=result.engine,
        reason=result.why,
        url=result.url,
        routes=route_rows(result.routes),
        replicas=replica_rows(result.replicas),
        broken=_faults(result.broken),
        absent=_faults(result.absent),
        wanted_keys=tuple(WantedKey(way.key, way.tier or "") for way in result.wanted_keys),
        token=result.token,
    )


@dataclass(frozen=True)
class DownDocument:
    """What `svcgen down` stopped."""

    engine: Annotated[str, "`docker` or `local`."]
    stopped: Annotated[tuple[RunningReplica, ...], "As they were before; empty if nothing ran."]


def down_document(result: DownResult) -> DownDocument:
    """Build the document of `svcgen down`."""
    return DownDocument(result.engine, replica_rows(result.ended))


@dataclass(frozen=True)
class PsDocument:
    """The replicas of the fleet."""

    engine: Annotated[str, "`docker` or `local`."]
    url: Annotated[str, "Address of the gateway; empty if it does not run."]
    replicas: Annotated[tuple[RunningReplica, ...], "All replicas; empty if nothing runs."]
    notes: Annotated[Mapping[str, str], "By service: that `svcgen run` serves it, or was killed."]


def ps_document(result: PsResult) -> PsDocument:
    """Build the document of `svcgen ps`."""
    replicas = replica_rows(result.replicas)
    return PsDocument(result.engine, result.url, replicas, dict(result.notes))


@dataclass(frozen=True)
class RestartDocument:
    """The new replicas of a service."""

    replicas: Annotated[tuple[RunningReplica, ...], "The replicas that replaced the old ones."]


def restart_document(result: RestartResult) -> RestartDocument:
    """Build the document of `svcgen restart`."""
    return RestartDocument(replica_rows(result.replicas))


def replica_rows(replicas: Iterable[Replica]) -> tuple[RunningReplica, ...]:
    """Build the entries of replicas in a document."""
    return tuple(
        RunningReplica(
            service=replica.service,
            number=replica.number,
            state=replica.state,
            restarts=replica.restarts,
            address=replica.address,
            pid=replica.pid,
        )
        for replica in replicas
    )


@dataclass(frozen=True)
class LogEntry:
    """A line of a log."""

    service: Annotated[str, "Name of the service."]
    number: Annotated[int, "Number of the replica."]
    text: Annotated[str, "The line, without its newline."]


@dataclass(frozen=True)
class LogsDocument:
    """The last lines of each log. `--follow` has no effect with `--json`."""

    lines: Annotated[tuple[LogEntry, ...], "The lines of each replica, oldest first."]


def logs_document(result: LogsResult) -> LogsDocument:
    """Build the document of `svcgen logs`."""
    entries = (LogEntry(line.service, line.number, line.text) for line in result.lines)
    return LogsDocument(tuple(entries))


@dataclass(frozen=True)
class EnvDocument:
    """The variables that the fleet gives a service."""

    service: Annotated[str, "Name of the service."]
    engine: Annotated[str, "`docker` or `local`."]
    variables: Annotated[Mapping[str, str], "Value by name, as a process of this machine needs it."]
    missing: Annotated[Mapping[str, str], "Why a variable has no value, by name."]


def env_document(result: EnvResult) -> EnvDocument:
    """Build the document of `svcgen env`."""
    return EnvDocument(result.service, result.engine, dict(result.variables), dict(result.missing))


@dataclass(frozen=True)
class TokenDocument:
    """A token of the development issuer."""

    token: Annotated[str, "The token, for the header `Authorization: Bearer TOKEN`."]
    expires: Annotated[int, "When it ends, in seconds since 1970."]
    subject: Annotated[str, "Who the caller is."]
    scopes: Annotated[tuple[str, ...], "What it may do."]


def token_document(made: Token) -> TokenDocument:
    """Build the document of `svcgen token`."""
    scopes = tuple(str(made.claims.get("scope", "")).split())
    return TokenDocument(made.text, made.expires, str(made.claims["sub"]), scopes)
