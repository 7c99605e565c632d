"""Called services that are not in the workspace: external ones, and those not checked out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from svcgen.compose.fleet import Fault, Fleet, Member
from svcgen.errors import SvcgenError, did_you_mean
from svcgen.gateway.envoy.tracing import COLLECTOR_NAME
from svcgen.openapi.breaking import breaking_changes
from svcgen.openapi.document import read_document
from svcgen.service import COMPOSE_FILE, REGISTRATION_FILE, client_copy, url_variable
from svcgen.settings import SETTINGS_FILE, Settings
from svcgen.yaml_files import as_yaml

ABSENT_PORT = 8001  # of the gateway, inside its network
GATEWAY_HOST = "gateway"  # in Docker
RESERVED_NAMES = frozenset({GATEWAY_HOST, COLLECTOR_NAME})


def absent_callees(fleet: Fleet, known: Collection[str]) -> tuple[str, ...]:
    """Return the called services that are not checked out, sorted.

    They are neither among the `known` services of the workspace nor external, and each caller keeps
    a copy of their OpenAPI document. Without a copy, the name is probably wrong.
    """
    callers: dict[str, list[Member]] = {}
    for member in fleet.members:
        for name in member.calls:
            if name not in known and name not in fleet.settings.external:
                callers.setdefault(name, []).append(member)
    return tuple(
        name
        for name in sorted(callers)
        if all(client_copy(each.service.folder, name).is_file() for each in callers[name])
    )


def absent_notes(fleet: Fleet, known: Collection[str]) -> tuple[Fault, ...]:
    """Return, for each callee that is not checked out, who calls it and what to add."""
    return tuple(
        Fault(
            tuple(each.file(REGISTRATION_FILE) for each in fleet.members if name in each.calls),
            f'"{name}" is not in this workspace, so calls to it get 503. '
            f"{ways_out(name, {*known, *fleet.external})}",
        )
        for name in fleet.absent
    )


def check_external(fleet: Fleet, known: Collection[str]) -> Iterator[Fault]:
    """Find external services that the workspace has, too, and those whose document is missing."""
    for name in fleet.settings.external:
        document = external_document(fleet.root, fleet.settings, name)
        if document and not document.is_file():
            yield Fault((SETTINGS_FILE,), f"external.{name}.document: {document} is not a file.")
        if name in known:
            problem = f"external.{name}: it is a service of this workspace; remove the entry."
            yield Fault((SETTINGS_FILE,), problem)


def check_routed(fleet: Fleet) -> Iterator[Fault]:
    """Find external services with routes whose name is used, or whose URL is the gateway's own."""
    for member in fleet.routed:
        external, key = member.registration, f"external.{member.name}"
        if member.name in RESERVED_NAMES:
            problem = f"{key}: the name is used; choose another one for a service with routes."
            yield Fault((SETTINGS_FILE,), problem)
        own_port = external.on_this_machine and external.port == fleet.settings.gateway.port
        if own_port or external.host == GATEWAY_HOST:
            problem = f"{key}.url: {external.entry.url} is the gateway itself; use another URL."
            yield Fault((SETTINGS_FILE,), problem)


def ways_out(name: str, known: Collection[str]) -> str:
    """Return what to do about a callee that the workspace does not have."""
    line = f"add to {SETTINGS_FILE}: external: {{{name}: {{url: URL}}}}"
    return f"{did_you_mean(name, known)} Create it or check it out, or {line}".strip()


def address_files(fleet: Fleet) -> dict[str, str]:
    """Return, by caller, a Compose file with the addresses of its callees outside the workspace.

    The caller's own compose.yaml names a container, which does not exist. As there, a variable of
    the shell wins.
    """
    files = {}
    for member in fleet.members:
        found = _addresses(member, fleet)
        if found:
            urls = {key: f"${{{key}:-{url}}}" for key, url in sorted(found.items())}
            content = {"services": {member.name: {"environment": urls}}}
            files[member.name] = f"{_HEADER}\n{as_yaml(content)}"
    return files


_HEADER = f"# Written by `svcgen compose`: added to the {COMPOSE_FILE} of the service."


def _addresses(member: Member, fleet: Fleet) -> Mapping[str, str]:
    absent = dict.fromkeys(fleet.absent, f"http://gateway:{ABSENT_PORT}")
    urls = {**absent, **fleet.external}
    return {url_variable(name): urls[name] for name in member.calls if name in urls}


def external_document(root: Path, settings: Settings, name: str) -> Path | None:
    """Return the path of an external service's OpenAPI document; None without one."""
    external = settings.external.get(name)
    return root / external.document if external and external.document else None


def require_known_apis(made: Path, calls: Collection[str], root: Path, settings: Settings) -> None:
    """Check that external callees offer what a rendered service, in the folder `made`, relies on.

    It relies on the copy of their document that its template wrote. Raises SvcgenError when an
    external service has no document, or that lacks what the service would call.
    """
    for name in calls:
        copy = client_copy(made, name)
        if name in settings.external and copy.is_file():
            _require_known_api(name, copy, external_document(root, settings, name))


def _require_known_api(name: str, copy: Path, document: Path | None) -> None:
    if document is None:
        raise SvcgenError(
            f"external.{name} in {SETTINGS_FILE} has no `document`, so svcgen does not know its "
            "API.",
            "Add the path of its OpenAPI document: "
            f"external: {{{name}: {{url: URL, document: {name}.openapi.json}}}}",
        )
    try:
        broken = list(breaking_changes(read_document(copy), read_document(document)))
    except SvcgenError as error:
        advice = f"Correct external.{name}.document in {SETTINGS_FILE}."
        raise SvcgenError(f"{document} {error.problem}.", advice) from error
    if broken:
        operation, problem = broken[0]
        raise SvcgenError(
            f"{document} does not fit the example of the template, which calls {operation}: "
            f"{problem}.",
            f"Leave out --calls {name}. Add {name} to `calls` in {REGISTRATION_FILE} of the "
            "service instead, run `svcgen compose --refresh`, and `make generate` in its folder.",
        )
