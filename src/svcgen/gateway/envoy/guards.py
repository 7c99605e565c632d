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
from svcgen.gateway.envoy.jwt import ACCESS, allowing, route_access
from svcgen.gateway.envoy.xds import Values
from svcgen.issuer_settings import Claims


@dataclass(frozen=True)
class Guard:
    """What one entry of a route adds: to its match, to its filters, and to the request.

    `challenge` is the one for keys in WWW-Authenticate of a 401; empty where keys are not accepted.
    """

    matched: tuple[Values, ...] = ()
    filters: Mapping[str, Values] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    challenge: str = ""


def guards(ways: Sequence[Way], claims: Mapping[str, Claims]) -> tuple[Guard, ...]:
    """Return the guards of a route, in the order in which their entries are tried.

    `claims` has the names of an issuer's claims, by its name.
    """
    keys = [way for way in ways if isinstance(way, KeyWay)]
    challenge = api_keys.challenge(keys) if keys else ""
    tokens = Guard(filters=route_access(ways, claims), challenge=challenge)
    if not keys:
        return (tokens,)
    alone = len(keys) == len(ways)
    key = Guard(
        matched=() if alone else (api_keys.IS_KEY,),
        filters={
            BASIC_AUTH: api_keys.SWITCHED_ON,
            ACCESS: allowing({"keys": api_keys.policy(keys)}),
        },
        removed=("authorization",),
        challenge=challenge,
    )
    return (key,) if alone else (key, tokens)
