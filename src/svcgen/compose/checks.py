"""What must hold before services are stitched together; every fault is found, not the first.

Compose itself merges two services, volumes or networks of one name without a word, and Envoy
takes the first of two equal routes: so it is looked for here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations
from urllib.parse import urlsplit

from svcgen.compose.compose_file import Port
from svcgen.compose.fleet import Fault, Fleet, Member
from svcgen.compose.routing import routing_faults
from svcgen.errors import did_you_mean
from svcgen.service import REGISTRATION_FILE, variable
from svcgen.settings import SETTINGS_FILE

SHARED_NETWORK = "platform"
GATEWAY = "gateway"
ROOT_FILE = "compose.yaml"
STACK_FILE = "compose.yaml"


def find_faults(fleet: Fleet, known: Iterable[str]) -> list[Fault]:
    """Return every fault of a fleet; `known` are the names of all services of the workspace."""
    names = frozenset(known)
    once = replace(fleet, members=tuple({each.name: each for each in fleet.members}.values()))
    found = chain(
        _names(fleet),
        _overlays(fleet, names),
        *(check(once) for check in (_stacks, _ports, _joined, _later, routing_faults)),
        _calls(once, names),
    )
    return list(dict.fromkeys(found))


def _names(fleet: Fleet) -> Iterator[Fault]:
    by_name: dict[str, list[Member]] = defaultdict(list)
    for member in fleet.members:
        by_name[member.name].append(member)
        written = member.registration
        if written and written.service != member.name:
            files = (member.file(REGISTRATION_FILE), member.file(".copier-answers.yml"))
            yield Fault(files, f'say "{written.service}" and "{member.name}" for one service.')
    for name, members in by_name.items():
        if len(members) > 1:
            folders = tuple(member.folder for member in members)
            yield Fault(folders, f'both are the service "{name}"; rename one.')


def _overlays(fleet: Fleet, known: frozenset[str]) -> Iterator[Fault]:
    for name in fleet.settings.services:
        if name not in known:
            problem = f"services.{name}: there is no such service. {did_you_mean(name, known)}"
            yield Fault((SETTINGS_FILE,), problem.strip())


def _stacks(fleet: Fleet) -> Iterator[Fault]:
    """Find what has one name in two included files."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    owners["services", GATEWAY].append(ROOT_FILE)
    for member in fleet.members:
        for kind, name in _definitions(member):
            owners[kind, name].append(member.file(STACK_FILE))
    for (kind, name), files in owners.items():
        if len(files) > 1:
            yield Fault(tuple(files), f'define {kind[:-1]} "{name}", which Compose would merge.')


def _definitions(member: Member) -> Iterator[tuple[str, str]]:
    if member.stack:
        yield from (("services", name) for name in member.stack.services)
        for kind, names in member.stack.named.items():
            for name in names:
                if (kind, name) != ("networks", SHARED_NETWORK):
                    yield kind, name


def _ports(fleet: Fleet) -> Iterator[Fault]:
    taken: dict[tuple[int, str], list[tuple[Port, str]]] = defaultdict(list)
    own = Port("127.0.0.1", fleet.settings.gateway.port, "tcp")
    taken[own.number, own.protocol].append((own, ROOT_FILE))
    for member in fleet.members:
        for port in member.stack.ports if member.stack else ():
            taken[port.number, port.protocol].append((port, member.file(STACK_FILE)))
    for ports in taken.values():
        for (one, file), (other, other_file) in combinations(ports, 2):
            if one.clashes(other):
                yield Fault((file, other_file), f"publish port {one.number}; the gateway suffices.")


def _joined(fleet: Fleet) -> Iterator[Fault]:
    for member in fleet.members:
        if member.stack is None:
            continue
        file = (member.file(STACK_FILE),)
        if member.name not in member.stack.services:
            yield Fault(file, f'defines no service "{member.name}".')
        elif SHARED_NETWORK not in member.stack.joined:
            yield Fault(file, f'"{member.name}" must join the network "{SHARED_NETWORK}".')


def _calls(fleet: Fleet, known: frozenset[str]) -> Iterator[Fault]:
    ports = {each.service: each.port for each in fleet.upstreams}
    variables = {f"{variable(name)}_URL": name for name in known}
    for member in fleet.members:
        if member.registration is None:
            continue
        calls = member.registration.calls
        for name in calls:
            if name not in known:
                problem = f'calls "{name}", but there is no such service in this workspace.'
                yield Fault((member.file(REGISTRATION_FILE),), problem)
        if member.stack and member.name in member.stack.services:
            there = [name for name in calls if name in known]
            yield from _addresses(member, there, variables, ports)


def _addresses(
    member: Member, calls: Sequence[str], variables: Mapping[str, str], ports: Mapping[str, int]
) -> Iterator[Fault]:
    """Hold the addresses in compose.yaml against `calls`: Compose lets nobody else set them."""
    files = (member.file(REGISTRATION_FILE), member.file(STACK_FILE))
    environment = member.stack.environment if member.stack else {}
    for name in calls:
        key, wanted = f"{variable(name)}_URL", f"http://{name}:{ports.get(name, 8080)}"
        if key not in environment:
            line = f"{key}: ${{{key}:-{wanted}}}"
            yield Fault(files, f'disagree: "{name}" is called, but the environment has no {line}')
        elif _address(environment[key]) != _address(wanted):
            yield Fault(files, f"disagree: {key} is {environment[key]}, but should be {wanted}")
    for key, name in variables.items():
        if key in environment and name not in calls:
            yield Fault(files, f'disagree: {key} is set, but `calls` does not name "{name}".')


def _address(url: str) -> tuple[str | None, str]:
    host = urlsplit(url).netloc.rpartition("@")[2]
    return urlsplit(url).hostname, host.rpartition(":")[2]


def _later(fleet: Fleet) -> Iterator[Fault]:
    """Refuse what only a later version can keep: ignoring it would open what was closed."""
    for key in ("compositions", "external"):
        if getattr(fleet.settings, key) is not None:
            yield Fault((SETTINGS_FILE,), f"{key} is not supported yet.")
    for member in fleet.members:
        for key in _later_keys(member):
            yield Fault((member.file(REGISTRATION_FILE),), f"{key} is not supported yet.")


def _later_keys(member: Member) -> Iterator[str]:
    if member.registration is None:
        return
    upstream = member.registration.upstream
    if upstream.protocol != "http":
        yield f"upstream.protocol: {upstream.protocol}"
    if upstream.health.grpc is not None:
        yield "upstream.health.grpc"
    for name, route in member.registration.routes.items():
        if route.auth != "none":
            yield f"routes.{name}.auth: jwt"
        for key in ("regex", "grpc", "rate_limit", "cors", "transcode"):
            if getattr(route, key) is not None:
                yield f"routes.{name}.{key}"
