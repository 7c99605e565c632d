"""Whether the routes of a service and the operations of its openapi.json cover each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from svcgen.compose.fleet import Fault, Fleet, Member
from svcgen.gateway.paths import reserved_problem
from svcgen.gateway.registration import RouteEntry
from svcgen.gateway.routes import METHODS, with_implied
from svcgen.service import OPENAPI_FILE, REGISTRATION_FILE
from svcgen.settings import SETTINGS_FILE


def unrouted_operations(fleet: Fleet) -> list[Fault]:
    """Return the operations that no route leads to, each with the line to add.

    An internal route leads to an operation, too. `gateway.unrouted` in svcgen.yaml has patterns
    of those that clients shall not reach; a service without exposed routes has none.
    """
    allowed = fleet.settings.gateway.unrouted
    return [
        fault
        for member in fleet.members
        for fault in _unrouted(member, tuple(allowed.get(member.name, ())))
    ]


def _unrouted(member: Member, allowed: tuple[str, ...]) -> Iterator[Fault]:
    routes = member.registration.routes if member.registration else {}
    files = (member.file(REGISTRATION_FILE), member.file(OPENAPI_FILE))
    for template, item in (member.operations or {}).items():
        if not isinstance(item, dict) or reserved_problem(template):
            continue
        leading = {name: each for name, each in routes.items() if _leads_to(each, template)}
        for method in [key.upper() for key in item if key.upper() in METHODS]:
            operation = f"{method} {template}"
            if any(fnmatchcase(operation, pattern) for pattern in allowed):
                continue
            methods = (with_implied(each.methods) or METHODS for each in leading.values())
            if not any(method in each for each in methods):
                yield Fault(files, f"{operation} {_advice(member.name, leading, method, template)}")


def _advice(service: str, leading: Mapping[str, RouteEntry], method: str, template: str) -> str:
    on_purpose = f'gateway: {{unrouted: {{{service}: ["{method} {template}"]}}}}'
    if leading:
        name, entry = next(iter(leading.items()))
        methods = ", ".join([*entry.methods, method])
        problem, line = "is 405 at the gateway", f"routes.{name}: methods: [{methods}]"
    else:
        prefix = template.partition("/{")[0]
        problem, line = "is 404 at the gateway", f"routes: NAME: {{path: {prefix}, auth: none}}"
    return f"{problem}. Add {line}; or allow it in {SETTINGS_FILE}: {on_purpose}"


def undocumented_methods(route: RouteEntry, operations: Mapping[str, Any]) -> str:
    """Return the methods of a route for which no operation exists; empty when all have one."""
    found = {
        method.upper()
        for path, item in operations.items()
        if isinstance(item, dict) and _leads_to(route, str(path))
        for method in item
    }
    if "GET" in found:
        found.add("HEAD")
    if not route.methods:
        return "" if found & set(METHODS) else "any method of"
    return " and ".join(
        method for method in route.methods if method != "OPTIONS" and method not in found
    )


def _leads_to(route: RouteEntry, template: str) -> bool:
    """Report whether the route passes on some path of an OpenAPI path template.

    `{id}` matches any text but the empty one.
    """
    documented = template.split("/")
    claimed = (route.exact or route.path or "").split("/")
    if len(documented) < len(claimed) or (route.exact and len(documented) != len(claimed)):
        return False
    for segment, pattern in zip(claimed, documented, strict=False):
        parts = re.split(r"\{[^}]*\}", pattern)
        if not re.fullmatch("[^/]+".join(map(re.escape, parts)), segment):
            return False
    return True
