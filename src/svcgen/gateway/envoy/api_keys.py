"""Envoy's `basic_auth` filter: the users of all API keys in one file, and the check of a route.

The filter verifies the key only. Which group and tier a route takes is a rule of `rbac` on the
verified user name, so a key of another group gets 403.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from svcgen.gateway.access import KeyWay
from svcgen.gateway.apply import BASIC_AUTH
from svcgen.gateway.envoy.jwt import SUBJECT_HEADER
from svcgen.gateway.envoy.xds import CONFIG, EXTENSIONS, Values, discovered, discovery_file

_KIND = "filters.http.basic_auth.v3.BasicAuth"

# Envoy refuses a list without users. This one has no dot, so no group contains it, and its hash is
# 20 bytes of zero, which no known text has.
_NO_USER = "-:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA="


def keys_document(users: Iterable[tuple[str, str]]) -> str:
    """Return the file of all users, given their names and hashes; the listener discovers it.

    Without a change of the listener, a change of this file reaches the connections that are open.
    """
    entries = sorted(f"{name}:{hash_}" for name, hash_ in users)
    config = {
        "@type": f"{EXTENSIONS}.{_KIND}",
        "users": {"inline_string": "\n".join([_NO_USER, *entries])},
        "forward_username_header": SUBJECT_HEADER,  # a value that the client sends is replaced
        "emit_dynamic_metadata": True,
    }
    return discovery_file(BASIC_AUTH, config)


def basic_auth_filter(file: Path) -> Values:
    """Return the filter, off until a route switches it on; it reads its users from the file."""
    return discovered(BASIC_AUTH, file, _KIND) | {"disabled": True}


SWITCHED_ON: Values = {"@type": f"{CONFIG}.route.v3.FilterConfig", "config": {}}


def user_prefix(way: KeyWay) -> str:
    """Return what the user names of the keys of a group, or of its tier, begin with."""
    return f"{way.key}.{way.tier}." if way.tier else f"{way.key}."


def policy(ways: Sequence[KeyWay]) -> Values:
    """Return the policy of `rbac` that a key of one of these groups and tiers passes."""
    metadata = {"filter": BASIC_AUTH, "path": [{"key": "username"}]}
    principals = [
        {
            "sourced_metadata": {
                "metadata_matcher": {**metadata, "value": {"string_match": {"prefix": prefix}}}
            }
        }
        for prefix in map(user_prefix, ways)
    ]
    return {"permissions": [{"any": True}], "principals": principals}


def challenge(ways: Sequence[KeyWay]) -> str:
    """Return the challenge of a 401 (RFC 7617, section 2); Envoy's own has the whole URL."""
    realm = " ".join(dict.fromkeys(way.key for way in ways))
    return f'Basic realm="{realm}", charset="UTF-8"'


IS_KEY: Values = {
    "name": "authorization",
    "string_match": {"prefix": "Basic ", "ignore_case": True},
}
"""The header of a request that is checked as a key where a route takes tokens, too.

Envoy joins repeated headers with a comma, so two credentials are neither a valid key nor a token.
"""
