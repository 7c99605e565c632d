"""What must hold of `auth` in all registrations together: known issuers, and no accidental gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from svcgen.compose.fleet import Fault, Fleet
from svcgen.errors import did_you_mean
from svcgen.gateway.access import JwtWay, KeyWay, Way
from svcgen.gateway.routes import METHODS, Route, by_path, covering
from svcgen.issuer_settings import DEVELOPMENT
from svcgen.service import REGISTRATION_FILE
from svcgen.settings import SETTINGS_FILE

BELOW = "~"  # any path below a prefix, which no exact route has


def check_access(fleet: Fleet) -> Iterator[Fault]:
    """Find routes that no one can call, and routes that ask for less than their path should."""
    files = {member.name: member.file(REGISTRATION_FILE) for member in fleet.registered}
    yield from _check_issuers(fleet, files)
    yield from _check_internal(fleet, files)
    yield from _check_weaker(fleet, files)


def _check_issuers(fleet: Fleet, files: Mapping[str, str]) -> Iterator[Fault]:
    settings = fleet.settings.gateway
    known = set(settings.issuers) | ({DEVELOPMENT} if settings.development_issuer else set())
    for route in fleet.table:
        for name in dict.fromkeys(way.jwt for way in route.auth if isinstance(way, JwtWay)):
            if name in known:
                continue
            place = f"{fleet.route_key(route)}.auth"
            if name == DEVELOPMENT:
                problem = f"{place}: gateway.development_issuer in {SETTINGS_FILE} is false."
            else:
                entry = f"{{{name}: {{issuer: URL, audiences: [NAME], jwks: FILE}}}}"
                problem = (
                    f'{place}: there is no issuer "{name}". {did_you_mean(name, known)} '
                    f"Add it to {SETTINGS_FILE}: gateway: {{issuers: {entry}}}"
                ).replace("  ", " ")
            yield Fault((files[route.service], SETTINGS_FILE), problem)


def _check_internal(fleet: Fleet, files: Mapping[str, str]) -> Iterator[Fault]:
    """Find internal routes with credentials, which nothing checks between services."""
    for route in fleet.table:
        if route.internal and route.auth:
            problem = (
                f"{fleet.route_key(route)}.auth: clients cannot call an internal route, and the "
                "gateway checks no calls between services. Write `auth: none`."
            )
            yield Fault((files[route.service],), problem)


def _check_weaker(fleet: Fleet, files: Mapping[str, str]) -> Iterator[Fault]:
    """Find routes that take what a stronger one does not: other methods, or the path with a slash.

    A method that a route does not name falls through to a shorter prefix, or to a route of all
    methods (Gateway API). Many servers also read `/a/` as `/a`, which an exact path leaves out.
    """
    routes = by_path(fleet.table)
    for route in fleet.table:
        if not route.auth or route.internal:
            continue
        slashed = route.path.rstrip("/") if route.path.endswith("/") else f"{route.path}/"
        paths = (route.path,) if route.exact else (route.path, f"{route.path.rstrip('/')}/{BELOW}")
        taking: dict[Route, list[str]] = {}
        for method in METHODS:
            for path in paths:
                winner = _winner(routes, path, method)
                if winner != route and not _same_level(route, winner):
                    _note(taking, winner, f"{method} {route.path}")
            if route.exact and route.takes(method):
                _note(taking, _winner(routes, slashed, method), slashed)
        for other, requests in taking.items():
            if other.weaker or not is_weaker(other.auth, route.auth):
                continue
            shown = " and ".join(dict.fromkeys(requests))
            problem = (
                f"{fleet.route_key(other)}: it takes {shown} and asks for less than "
                f"routes.{route.name} of {route.service}: {other.auth_text} instead of "
                f"{route.auth_text}. Ask for the same, or let routes.{route.name} take "
                f"these too. If it is meant, write in {fleet.route_key(other)}: weaker: REASON"
            )
            yield Fault(tuple(dict.fromkeys((files[other.service], files[route.service]))), problem)


def _note(taking: dict[Route, list[str]], winner: Route | None, request: str) -> None:
    if winner and not winner.internal:
        taking.setdefault(winner, []).append(request)


def _winner(routes: Mapping[str, Sequence[Route]], path: str, method: str) -> Route | None:
    return next((each for each in covering(routes, path) if each.takes(method)), None)


def _same_level(route: Route, other: Route | None) -> bool:
    """Report whether both name methods of one path: who wrote the one saw the other."""
    return other is not None and (other.path, other.exact, bool(other.methods)) == (
        route.path,
        route.exact,
        True,
    )


def is_weaker(ways: Sequence[Way], than: Sequence[Way]) -> bool:
    """Report whether some caller of the first ways has none of the second."""
    return not ways or not all(any(_implies(way, other) for other in than) for way in ways)


def _implies(way: Way, other: Way) -> bool:
    """Report whether each caller of one way is a caller of the other."""
    if isinstance(way, JwtWay) and isinstance(other, JwtWay):
        return way.jwt == other.jwt and set(way.scopes) >= set(other.scopes)
    if isinstance(way, KeyWay) and isinstance(other, KeyWay):
        return way.key == other.key and other.tier in (None, way.tier)
    return False
