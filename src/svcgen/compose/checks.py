"""What must hold before services are stitched together; every fault is found, not the first.

Compose merges two services, volumes or networks of one name without a warning, and Envoy takes the
first of two equal routes: so svcgen looks for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import NamedTuple
from urllib.parse import urlsplit

from svcgen.compose.access_checks import check_access
from svcgen.compose.callees import check_external, check_routed, ways_out
from svcgen.compose.compose_file import Port
from svcgen.compose.fleet import ExternalMember, Fault, Fleet, Member
from svcgen.compose.operations import undocumented_methods
from svcgen.env_file import ENV_FILE
from svcgen.errors import did_you_mean
from svcgen.gateway.paths import parents, reserved_problem
from svcgen.gateway.registration import LONGER, RouteEntry
from svcgen.gateway.tls import tls_problems
from svcgen.service import ANSWERS_FILE, COMPOSE_FILE, OPENAPI_FILE, REGISTRATION_FILE, url_variable
from svcgen.settings import EVERY_SERVICE, SET_BY_ENGINE, SETTINGS_FILE

SHARED_NETWORK = "platform"
GATEWAY = "gateway"
ALL = "*"
DATABASE = "database"  # of the local engine


class ClaimedRoute(NamedTuple):
    """A route of one service at the gateway, as its registration has it."""

    member: Member | ExternalMember
    name: str
    entry: RouteEntry
    path: str  # exact path or prefix
    methods: frozenset[str]  # with HEAD where GET is; empty: every method

    @property
    def file(self) -> str:
        """The registration, relative to the root."""
        return self.member.file(REGISTRATION_FILE)

    @property
    def key(self) -> str:
        """The key of the route in its file."""
        return self.member.route_key(self.name)

    @property
    def reserved(self) -> str:
        """Why the path is the gateway's own; empty when it is not. A front end may have `/`."""
        external = isinstance(self.member, ExternalMember)
        return "" if external and self.path == "/" else reserved_problem(self.path)

    @property
    def internal(self) -> bool:
        """Whether the gateway answers 404 instead of the service."""
        return self.entry.expose == "internal"


def find_faults(fleet: Fleet, known: Iterable[str]) -> list[Fault]:
    """Return every fault of a fleet; `known` are the names of all services of the workspace."""
    names = frozenset(known)
    unique = replace(fleet, members=tuple({each.name: each for each in fleet.members}.values()))
    routes = _claimed_routes(unique)
    exposed = [route for route in routes if not route.internal]
    found = chain(
        _check_names(fleet),
        _check_overlays(fleet, names),
        _check_variables(unique, names),
        check_external(fleet, names),
        check_routed(fleet),
        _check_compose_files(unique),
        _check_ports(unique),
        _check_certificate(fleet),
        _check_supported(unique),
        _check_paths(routes),
        _check_claims(routes, fleet.settings.gateway.claims),
        _check_tries(routes, fleet.settings.gateway.timeout),
        _check_documented(exposed),
        check_access(unique),
        _check_calls(unique, names),
    )
    return list(dict.fromkeys(found))


def _check_names(fleet: Fleet) -> Iterator[Fault]:
    by_name: dict[str, list[Member]] = defaultdict(list)
    for member in fleet.members:
        by_name[member.name].append(member)
        registration = member.registration
        if registration and registration.service != member.name:
            files = (member.file(REGISTRATION_FILE), member.file(ANSWERS_FILE))
            problem = f'name one service "{registration.service}" and "{member.name}".'
            yield Fault(files, problem)
    for name, members in by_name.items():
        if len(members) > 1:
            folders = tuple(member.folder for member in members)
            yield Fault(folders, f'both are the service "{name}"; rename one.')


def _check_overlays(fleet: Fleet, known: frozenset[str]) -> Iterator[Fault]:
    settings = fleet.settings
    named = [("services", name) for name in settings.services]
    named += [("environment", name) for name in settings.environment if name != EVERY_SERVICE]
    for key, name in named:
        if name not in known:
            problem = f"{key}.{name}: there is no such service. {did_you_mean(name, known)}"
            yield Fault((SETTINGS_FILE,), problem.strip())
    for name in settings.programs:
        if name in known | {GATEWAY, DATABASE}:
            problem = f"programs.{name}: the name is used; choose another one."
            yield Fault((SETTINGS_FILE,), problem)


def _check_variables(fleet: Fleet, known: frozenset[str]) -> Iterator[Fault]:
    """Find variables of the user that the engine sets: one of both would be without effect."""
    for member in fleet.members:
        called = {url_variable(name): name for name in member.calls if name in known}
        file = member.file(ENV_FILE)
        for variable in sorted(member.variables.keys() & SET_BY_ENGINE):
            yield Fault((file,), f"it must not contain {variable}: the engine sets it.")
        given = [(file, "", member.variables)]
        for name in (EVERY_SERVICE, member.name):
            entry = fleet.settings.environment.get(name, {})
            given.append((SETTINGS_FILE, f"environment.{name}: ", entry))
        for place, key, variables in given:
            for variable in sorted(variables.keys() & called.keys()):
                problem = (
                    f"{key}it must not contain {variable}: the engine sets it, because "
                    f"{member.name} calls {called[variable]}."
                )
                yield Fault((place,), problem)


def _check_compose_files(fleet: Fleet) -> Iterator[Fault]:
    """Find names that two included files define, and services that do not join the network."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    owners["services", GATEWAY].append(COMPOSE_FILE)
    for member in fleet.members:
        if member.compose_file is None:
            continue
        file, content = member.file(COMPOSE_FILE), member.compose_file
        for kind, names in {"services": content.services, **content.named}.items():
            for name in names:
                if (kind, name) != ("networks", SHARED_NETWORK):
                    owners[kind, name].append(file)
        if member.name not in content.services:
            yield Fault((file,), f'defines no service "{member.name}".')
        elif SHARED_NETWORK not in content.joined:
            yield Fault((file,), f'"{member.name}" must join the network "{SHARED_NETWORK}".')
    for (kind, name), files in owners.items():
        if len(files) > 1:
            yield Fault(tuple(files), f'define {kind[:-1]} "{name}", which Compose would merge.')


def _check_certificate(fleet: Fleet) -> Iterator[Fault]:
    for file, problem in tls_problems(fleet.root, fleet.settings.gateway):
        yield Fault((SETTINGS_FILE, file), problem)


def _check_ports(fleet: Fleet) -> Iterator[Fault]:
    """Find ports of this machine that two containers publish."""
    published: dict[tuple[int, str], list[tuple[Port, str]]] = defaultdict(list)
    settings = fleet.settings.gateway
    for number in filter(None, (settings.port, settings.http_port)):
        gateway = Port("127.0.0.1", number, "tcp")
        published[number, gateway.protocol].append((gateway, COMPOSE_FILE))
    for member in fleet.members:
        for port in member.compose_file.ports if member.compose_file else ():
            published[port.number, port.protocol].append((port, member.file(COMPOSE_FILE)))
    for ports in published.values():
        for (port, file), (other, other_file) in combinations(ports, 2):
            if port.clashes(other):
                problem = f"publish port {port.number}; the gateway suffices."
                yield Fault((file, other_file), problem)


def _check_supported(fleet: Fleet) -> Iterator[Fault]:
    """Refuse what only a later version supports: ignoring it would open what was closed."""
    later = {(SETTINGS_FILE, "compositions"): fleet.settings.compositions is not None}
    for member in fleet.registered:
        if member.registration is None:
            continue
        file, upstream = member.file(REGISTRATION_FILE), member.registration.upstream
        later[file, f"upstream.protocol: {upstream.protocol}"] = upstream.protocol != "http"
        later[file, "upstream.health.grpc"] = upstream.health.grpc is not None
        for name, route in member.registration.routes.items():
            place = member.route_key(name)
            for key in ("regex", "grpc", "transcode"):
                later[file, f"{place}.{key}"] = getattr(route, key) is not None
    for (file, key), used in later.items():
        if used:
            yield Fault((file,), f"{key} is not supported yet.")


def _claimed_routes(fleet: Fleet) -> list[ClaimedRoute]:
    routes = []
    for member in fleet.registered:
        for name, entry in member.registration.routes.items() if member.registration else ():
            path, methods = entry.exact or entry.path, frozenset(entry.methods)
            if path:
                head = {"HEAD"} if "GET" in methods else set()
                routes.append(ClaimedRoute(member, name, entry, path, methods | head))
    return routes


def _check_paths(routes: Sequence[ClaimedRoute]) -> Iterator[Fault]:
    """Find paths of the gateway itself, and paths that two routes claim.

    Prefixes are whole segments, so two of them are equally specific only when they are equal.
    Between such routes the order of precedence has only the alphabet to decide. Two internal ones
    are both 404 at the gateway, so they may be equal.
    """
    equal: dict[tuple[bool, str], list[ClaimedRoute]] = defaultdict(list)
    for route in routes:
        equal[route.entry.exact is not None, route.path].append(route)
        if not route.internal and (problem := route.reserved):
            yield Fault((route.file,), f"{route.key}: {problem}.")
    for group in equal.values():
        for route, other in combinations(group, 2):
            if route.internal and other.internal:
                continue
            # A route that names its methods comes before one that does not.
            if bool(route.methods) == bool(other.methods) and (both := _common(route, other)):
                common = "every method of" if both == {ALL} else " and ".join(sorted(both))
                names = f"{route.key} and {other.key}"
                files = tuple(dict.fromkeys((route.file, other.file)))
                yield Fault(files, f"{names} both claim {common} {route.path}.")


def _check_claims(
    routes: Sequence[ClaimedRoute], allowed: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    """Find routes below a prefix of another service: they take requests, and their tokens, from it.

    Equal paths are the subject of _check_paths: two services may share the methods of one path.
    """
    prefixes: dict[str, list[ClaimedRoute]] = defaultdict(list)
    for route in routes:
        if route.entry.exact is None and not route.internal and not reserved_problem(route.path):
            prefixes[route.path].append(route)
    for route in routes:
        name = route.member.name
        above = [other for prefix in parents(route.path) for other in prefixes.get(prefix, ())]
        for other in above:
            taken = other.member.name != name and other.path != route.path
            if taken and _common(route, other) and route.path not in allowed.get(name, ()):
                problem = (
                    f"{route.key}: {route.path} is below {other.path} of "
                    f"{other.member.name}. Use another path, or allow it in {SETTINGS_FILE}: "
                    f"gateway: {{claims: {{{name}: [{route.path}]}}}}"
                )
                yield Fault((route.file, other.file), problem)
                break


def _common(route: ClaimedRoute, other: ClaimedRoute) -> frozenset[str]:
    """Return the methods that both match, apart from OPTIONS; ALL stands for every method."""
    if not route.methods or not other.methods:
        return route.methods or other.methods or frozenset({ALL})
    return route.methods & other.methods


def _check_tries(routes: Sequence[ClaimedRoute], default: str) -> Iterator[Fault]:
    """Find tries that may take longer than the workspace's timeout, where the route has none."""
    for route in routes:
        retry = route.entry.retry
        if not route.entry.timeout and retry.outlasts(default):
            problem = f"{route.key}: retry.per_try {retry.per_try} {LONGER} {default}."
            yield Fault((route.file,), problem)


def _check_documented(routes: Sequence[ClaimedRoute]) -> Iterator[Fault]:
    """Find methods of routes for which openapi.json has no operation."""
    for route in routes:
        operations = route.member.operations
        if operations is None or reserved_problem(route.path):
            continue  # there is a fault for it already
        if missing := undocumented_methods(route.entry, operations):
            files = (route.file, route.member.file(OPENAPI_FILE))
            problem = f"routes.{route.name}: no operation for {missing} {route.path}"
            yield Fault(files, f"{problem}; `make generate` writes openapi.json again.")


def _check_calls(fleet: Fleet, known: frozenset[str]) -> Iterator[Fault]:
    """Find calls to unknown services, and addresses in compose.yaml that differ from `calls`."""
    ports = {each.service: each.port for each in fleet.upstreams}
    elsewhere = {*fleet.absent, *fleet.external}
    for member in fleet.members:
        for name in member.calls:
            if name not in known and name not in elsewhere:
                problem = (
                    f'calls "{name}", but there is no such service in this workspace. '
                    f"{ways_out(name, known | fleet.external.keys())}"
                )
                yield Fault((member.file(REGISTRATION_FILE),), problem)
        content = member.compose_file
        if member.registration and content and member.name in content.services:
            files = (member.file(REGISTRATION_FILE), member.file(COMPOSE_FILE))
            for problem in _call_problems(member.calls, content.environment, known, ports):
                yield Fault(files, f"disagree: {problem}")


def _call_problems(
    calls: Sequence[str],
    environment: Mapping[str, str],
    known: frozenset[str],
    ports: Mapping[str, int],
) -> Iterator[str]:
    """Compare the addresses in the environment of a service with its calls."""
    for name in calls:
        key, url = url_variable(name), f"http://{name}:{ports.get(name, 8080)}"
        if name not in known:
            continue
        if key not in environment:
            yield f'"{name}" is called, but the environment has no {key}: ${{{key}:-{url}}}'
        elif _address(environment[key]) != _address(url):
            yield f"{key} is {environment[key]}, but should be {url}"
    for name in sorted(known.difference(calls)):
        if (key := url_variable(name)) in environment:
            yield f'{key} is set, but `calls` does not name "{name}".'


def _address(url: str) -> tuple[str | None, str]:
    host = urlsplit(url).netloc.rpartition("@")[2]
    return urlsplit(url).hostname, host.rpartition(":")[2]
