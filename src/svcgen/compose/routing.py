"""Routes that cannot stand beside each other, or that lead to nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from svcgen.compose.fleet import Fault, Fleet, Member
from svcgen.gateway.paths import reserved_problem
from svcgen.gateway.registration import RouteEntry
from svcgen.service import REGISTRATION_FILE


class Claim(NamedTuple):
    """A route of one service, as its registration has it."""

    member: Member
    name: str
    route: RouteEntry

    @property
    def path(self) -> str:
        """The path or prefix."""
        return self.route.exact or self.route.path or ""

    @property
    def methods(self) -> frozenset[str]:
        """The methods claimed; empty when all are. HEAD goes where GET goes."""
        written = frozenset(self.route.methods)
        return written | {"HEAD"} if "GET" in written else written

    @property
    def file(self) -> str:
        """Where it is written."""
        return self.member.file(REGISTRATION_FILE)


def routing_faults(fleet: Fleet) -> Iterator[Fault]:
    """Return the faults of all routes on the gateway."""
    claims = list(_claims(fleet))
    yield from _reserved(claims)
    yield from _twice(claims)
    yield from _undocumented([claim for claim in claims if not reserved_problem(claim.path)])


def _claims(fleet: Fleet) -> Iterator[Claim]:
    for member in fleet.members:
        for name, route in member.registration.routes.items() if member.registration else ():
            if route.expose == "gateway" and (route.path or route.exact):
                yield Claim(member, name, route)


def _reserved(claims: list[Claim]) -> Iterator[Fault]:
    for claim in claims:
        problem = reserved_problem(claim.path)
        if problem:
            yield Fault((claim.file,), f"routes.{claim.name}: {problem}.")


def _twice(claims: list[Claim]) -> Iterator[Fault]:
    """Find routes between which the order of precedence leaves only the alphabet to decide.

    Prefixes are whole segments, so two of them are equally specific only when they are equal.
    """
    same: dict[tuple[bool, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        same[claim.route.exact is not None, claim.path].append(claim)
    for group in same.values():
        for one, other in combinations(group, 2):
            both = _common(one, other)
            if both:
                names = f"routes.{one.name} and routes.{other.name}"
                files = tuple(dict.fromkeys((one.file, other.file)))
                yield Fault(files, f"{names} both claim {both} {one.path}.")


def _common(one: Claim, other: Claim) -> str:
    if not one.methods and not other.methods:
        return "every method of"
    return " and ".join(sorted(one.methods & other.methods))


def _undocumented(claims: list[Claim]) -> Iterator[Fault]:
    for claim in claims:
        operations = claim.member.operations
        if operations is None:
            continue  # a fault says already that there is no document
        missing = _missing(claim, operations)
        if missing:
            files = (claim.file, claim.member.file("openapi.json"))
            problem = f"routes.{claim.name}: no operation for {missing} {claim.path}"
            yield Fault(files, f"{problem}; `make generate` writes openapi.json anew.")


def _missing(claim: Claim, operations: Mapping[str, Any]) -> str:
    """Return the methods that no documented path on the route has."""
    found = {
        method.upper()
        for path, item in operations.items()
        if isinstance(item, dict) and _leads_to(claim.route, str(path))
        for method in item
    }
    if "GET" in found:
        found.add("HEAD")
    if not claim.route.methods:
        return "" if found & _DOCUMENTED else "any method of"
    wanted = [method for method in claim.route.methods if method != "OPTIONS"]
    return " and ".join(method for method in wanted if method not in found)


_DOCUMENTED = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _leads_to(route: RouteEntry, template: str) -> bool:
    """Tell whether the route passes some path of an OpenAPI path template on."""
    documented = template.split("/")
    claimed = (route.exact or route.path or "").split("/")
    if route.exact is not None and len(documented) != len(claimed):
        return False
    return len(documented) >= len(claimed) and all(map(_same, claimed, documented))


def _same(segment: str, documented: str) -> bool:
    """Compare one segment; `{id}` stands for any text but none."""
    if "{" not in documented:
        return segment == documented
    pattern = "[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", documented))
    return re.fullmatch(pattern, segment) is not None
