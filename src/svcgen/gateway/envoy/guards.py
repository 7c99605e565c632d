"""The guards of a route: which filters check its callers, for each kind of credential.

A route for keys and tokens becomes two of Envoy's, and each of them is enforced alone. The filters
are always in the listener, off until a route switches them on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from svcgen.gateway.access import KeyWay, Way
from svcgen.gateway.apply import BASIC_AUTH
from svcgen.gateway.envoy import api_keys
from svcgen.gateway.envoy.xds import EXTENSIONS, Values, extension

RBAC = "envoy.filters.http.rbac"
_RBAC_TYPE = "filters.http.rbac.v3.RBAC"
RBAC_FILTER: Values = {**extension(RBAC, _RBAC_TYPE), "disabled": True}


@dataclass(frozen=True)
class Guard:
    """What one entry of a route adds: to its match, to its filters, and to the request.

    `challenge` is the WWW-Authenticate of its 401; without one, the filter's own stays.
    """

    matched: tuple[Values, ...] = ()
    filters: Mapping[str, Values] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    challenge: str = ""


def guards(ways: Sequence[Way]) -> tuple[Guard, ...]:
    """Return the guards of a route, in the order in which their entries are tried."""
    if not ways:
        return (Guard(),)
    keys = [way for way in ways if isinstance(way, KeyWay)]
    tokens = [way for way in ways if not isinstance(way, KeyWay)]
    found = [_key_guard(keys, alone=not tokens)] if keys else []
    if tokens:
        found.append(Guard(filters={RBAC: allow([])}))
    return tuple(found)


def _key_guard(keys: Sequence[KeyWay], *, alone: bool) -> Guard:
    return Guard(
        matched=() if alone else (api_keys.IS_KEY,),
        filters={BASIC_AUTH: api_keys.SWITCHED_ON, RBAC: allow(api_keys.principals(keys))},
        removed=("authorization",),
        challenge=api_keys.challenge(keys),
    )


def allow(principals: Sequence[Values]) -> Values:
    """Return the rule of a route that only these principals pass; without any, no caller does."""
    policies = {"callers": {"permissions": [{"any": True}], "principals": principals}}
    rules = {"action": "ALLOW", "policies": policies if principals else {}}
    return {"@type": f"{EXTENSIONS}.{_RBAC_TYPE}PerRoute", "rbac": {"rules": rules}}
