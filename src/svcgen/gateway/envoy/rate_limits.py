"""Rate limits as Envoy's `local_ratelimit`: the counts in limits.json, their names in the routes.

The counts are neither in the listener, whose change ends connections, nor in the routes: there each
change of a route would start all counts again, and the two entries of a route would count apart.
Envoy reads limits.json as the configuration of the filter (ECDS) and keeps the counts until the
text of the file changes. The metadata of a route has the name of its count for each kind of limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from svcgen.gateway.apply import RATE_LIMIT
from svcgen.gateway.envoy.api_keys import IS_KEY
from svcgen.gateway.envoy.jwt import SUBJECT_HEADER
from svcgen.gateway.envoy.xds import EXTENSIONS, Values, discovered, discovery_file, seconds
from svcgen.gateway.limits import HEADER, RateLimit, other_tiers, wait_seconds
from svcgen.gateway.routes import Route

# Counts of one limit, and of all together: a count takes about 1.3 KB. With more callers, the count
# that was not used for the longest time is forgotten. Envoy's default of 20 would let each of 50
# callers exceed its limit.
LEAST_CALLERS, MOST_CALLERS = 1_000, 20_000
ALL_CALLERS = 200_000
# A longer value would let a client fill the memory with counts.
LONGEST_CALLER = 128
# Envoy refuses patterns above a size of 100. The longest are paths, of 1,024 characters.
RUNTIME: Values = {"re2.max_program_size.error_level": 10_000}
RETRY_AFTER = "retry_after"  # member of the route's metadata
NAME = "limit"

_KIND = "filters.http.local_ratelimit.v3.LocalRateLimit"
_ADDRESS = "masked_remote_address"
_MASKED: Values = {_ADDRESS: {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
_ALWAYS: Values = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


class _Count(NamedTuple):
    """One kind of count: what a request must have (`entries`), and how Envoy finds it (`actions`).

    An entry without a value has a count for each value.
    """

    entries: tuple[Values, ...]
    actions: tuple[Values, ...]

    def joined(self, other: _Count) -> _Count:
        """Return the count of requests that have what both need."""
        return _Count(self.entries + other.entries, self.actions + other.actions)


def limit_filter(file: Path) -> Values:
    """Return the filter of the listener; its configuration is in limits.json."""
    return discovered(RATE_LIMIT, file, _KIND)


def limits_file(table: Sequence[Route]) -> str:
    """Return the text of limits.json: a bucket for each limit and kind of caller."""
    kinds = {
        kind: [count.actions for count in _counts(limit, other_tiers(route.rate_limits, limit))]
        for route in table
        for limit, kind, _name in _named(route)
    }
    descriptors = [
        {
            "entries": [{"key": NAME, "value": name}, *count.entries],
            "token_bucket": _bucket(limit),
        }
        for route in table
        for limit, _kind, name in _named(route)
        for count in _counts(limit, other_tiers(route.rate_limits, limit))
    ]
    config = {
        "@type": f"{EXTENSIONS}.{_KIND}",
        "stat_prefix": "edge",
        "filter_enabled": _ALWAYS,  # the default of both is never
        "filter_enforced": _ALWAYS,
        "rate_limited_as_resource_exhausted": True,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "always_consume_default_token_bucket": False,
        "max_dynamic_descriptors": callers_of_each(len(descriptors)),
        "response_headers_to_add": [
            {"header": {"key": "retry-after", "value": f"%METADATA(ROUTE:gateway:{RETRY_AFTER})%"}}
        ],
        "descriptors": descriptors,
        "rate_limits": [
            {"actions": [_of_route(kind), *actions]}
            for kind, found in sorted(kinds.items())
            for actions in found
        ],
    }
    return discovery_file(RATE_LIMIT, config)


def callers_of_each(limits: int) -> int:
    """Return how many callers a limit counts, where there are so many limits."""
    return max(LEAST_CALLERS, min(MOST_CALLERS, ALL_CALLERS // max(limits, 1)))


def limit_names(route: Route) -> dict[str, str]:
    """Return what the metadata of a route has: the names of its counts, and when to come back."""
    names = {kind: name for _limit, kind, name in _named(route)}
    wait = wait_seconds(route.rate_limits)
    return names | ({RETRY_AFTER: str(wait)} if wait else {})


def _bucket(limit: RateLimit) -> Values:
    """Return a bucket, which Envoy refills continuously: one request each `per` / `requests`."""
    if not limit.requests:
        return {"max_tokens": 0, "tokens_per_fill": 1, "fill_interval": "1s"}
    return {
        "max_tokens": limit.burst or limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": seconds(limit.per_ms),
    }


def _named(route: Route) -> Iterator[tuple[RateLimit, str, str]]:
    """Yield each limit with its kind and the name of its count.

    The name has no number of the limit, so that the count of a changed limit is found at once.
    """
    used: dict[str, int] = {}
    for limit in route.rate_limits:
        others = other_tiers(route.rate_limits, limit)
        kind = " ".join(
            [limit.by, *([limit.tier] if limit.tier else []), *(f"!{x}" for x in others)]
        )
        used[kind] = used.get(kind, 0) + 1
        kind = f"{kind} {used[kind]}"
        yield limit, kind, f"{route.service}/{route.name}/{kind}"


def _of_route(kind: str) -> Values:
    """Return the action that takes the name from the route; without one, nothing is counted."""
    key = {"key": "gateway", "path": [{"key": kind}]}
    return {"metadata": {"descriptor_key": NAME, "metadata_key": key, "source": "ROUTE_ENTRY"}}


def _counts(limit: RateLimit, others: Sequence[str]) -> list[_Count]:
    """Return the counts of a limit that does not apply to other tiers."""
    tier = _of_tier(limit, others)
    return [tier.joined(count) for count in _of_callers(limit)]


def _of_callers(limit: RateLimit) -> list[_Count]:
    """Return a count for each caller; one without the header counts by its address instead."""
    address = _Count(({"key": _ADDRESS},), (_MASKED,))
    if limit.by == "route":
        return [_Count((), ())]
    if limit.by == "client_ip":
        return [address]
    header = SUBJECT_HEADER if limit.by == "subject" else limit.by.removeprefix(HEADER)
    usable: list[Values] = [
        {
            "name": header,
            "string_match": {"safe_regex": {"regex": rf"\C{{1,{LONGEST_CALLER}}}"}},
        },
        # The header may be repeated: Envoy counts by the first one.
        {
            "name": header,
            "string_match": {"safe_regex": {"regex": rf"(\C{{{LONGEST_CALLER + 1},}})?"}},
            "invert_match": True,
        },
    ]
    value = {"request_headers": {"header_name": header, "descriptor_key": "caller"}}
    by_header = _Count(({"key": "caller"},), (value,))
    absent = _matched("absent", usable, expected=False)
    return [_matched("given", usable).joined(by_header), absent.joined(address)]


def _of_tier(limit: RateLimit, others: Sequence[str]) -> _Count:
    """Return what a caller's tier must be, where that matters."""
    if limit.tier:
        return _matched("tier", _of_key(limit.tier))
    if others:
        return _matched("tier", _of_key("|".join(others)), expected=False)
    return _Count((), ())


def _of_key(tiers: str) -> list[Values]:
    """Return the headers of a request with a key of these tiers, after it was verified.

    The subject of a token may look like that of a key, but its request has no basic credentials.
    """
    subject = {"safe_regex": {"regex": rf"[^.]+\.(?:{tiers})\..+"}}
    return [IS_KEY, {"name": SUBJECT_HEADER, "string_match": subject}]


def _matched(key: str, headers: Sequence[Values], *, expected: bool = True) -> _Count:
    match = {
        "descriptor_key": key,
        "descriptor_value": "1",
        "expect_match": expected,
        "headers": headers,
    }
    return _Count(({"key": key, "value": "1"},), ({"header_value_match": match},))
