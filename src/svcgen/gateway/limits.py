"""How much callers may ask, and which web pages may: `rate_limit` and `cors` of a registration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from svcgen.gateway.access import Name
from svcgen.gateway.envoy.removed_headers import NAMES, PREFIXES
from svcgen.strict import Duration, StrictModel, Text, matching, within
from svcgen.units import parse_duration

MOST_REQUESTS = 1_000_000
MOST_LIMITS = 8  # of a route: each is a count for each caller
HEADER = "header:"
# RFC 9110, section 5.6.2, in lower case. The gateway refuses names with `_`.
_HEADER_NAME = r"[a-z0-9!#$%&'*+.^`|~-]{1,128}"
_BY = rf"^(client_ip|route|subject|{HEADER}{_HEADER_NAME})$"
_BY_RULE = "must be client_ip, route, subject or header:NAME with a name in lower case"
# Names that a client cannot choose, or that do not name a client.
_NO_CALLER = frozenset({"host", "x-forwarded-for", "x-forwarded-proto", "x-request-id"})
_SCOPE = (
    "fleet is not supported yet: each replica of the gateway counts in its own memory, and the "
    "local engine has no store for a common count. Remove `scope`"
)


def _known_caller(by: str) -> str:
    name = by.removeprefix(HEADER)
    if name == by:
        return by
    if name in NAMES or name.startswith(PREFIXES):
        raise ValueError(f"names {name}, which the gateway removes from requests")
    if name in _NO_CALLER:
        raise ValueError(f"names {name}, which does not identify a caller: write client_ip")
    return by


def _one_count(scope: object) -> object:
    if scope == "fleet":
        raise ValueError(_SCOPE)
    return scope


class RateLimit(StrictModel):
    """How many requests each caller may make; each replica of the gateway counts for itself."""

    requests: Annotated[
        int,
        Field(strict=True, ge=0, le=MOST_REQUESTS, description="0: none; the route is closed."),
    ]
    per: Annotated[
        Duration,
        within("1s", "24h"),
        Field(description="Time in which these requests become available again, evenly."),
    ]
    by: Annotated[
        Text,
        matching(_BY, _BY_RULE, "client_ip"),
        AfterValidator(_known_caller),
        Field(description="What is counted apart; `route`: all callers together."),
    ] = "client_ip"
    burst: Annotated[
        int | None,
        Field(strict=True, ge=1, le=MOST_REQUESTS, description="At once; default: `requests`."),
    ] = None
    tier: Annotated[
        Name | None,
        Field(description="Only keys of this tier; limits without a tier are for all others."),
    ] = None
    scope: Annotated[
        Literal["replica"], BeforeValidator(_one_count), Field(description="Who counts.")
    ] = "replica"

    @model_validator(mode="after")
    def _closed_without_burst(self) -> RateLimit:
        if self.burst and not self.requests:
            raise ValueError("has `burst` with `requests: 0`, which closes the route: remove one")
        return self

    @property
    def per_ms(self) -> int:
        """Milliseconds in which `requests` become available again."""
        return parse_duration(self.per)

    @property
    def wait_seconds(self) -> int | None:
        """Longest time until one more request is available; None where none ever is."""
        return -(-self.per_ms // (self.requests * 1000)) if self.requests else None

    @property
    def needs_auth(self) -> bool:
        """Whether only an authenticated caller has what the limit counts by."""
        return self.by == "subject" or self.tier is not None

    def __str__(self) -> str:
        """Return the limit as `svcgen routes` shows it."""
        at_once = f", {self.burst} at once" if self.burst else ""
        tier = f", tier {self.tier}" if self.tier else ""
        return f"{self.requests} per {self.per} by {self.by}{at_once}{tier}"


def _listed(value: object) -> object:
    """Refuse one limit that is not in a list, with what to write."""
    if isinstance(value, dict):
        keys = ", ".join(f"{key}: {each}" for key, each in value.items())
        raise ValueError(f"must be a list: write [{{{keys}}}]")  # noqa: TRY004 (pydantic shows no other error)
    return value


def _no_equal(limits: Sequence[RateLimit]) -> Sequence[RateLimit]:
    seen = [(limit.by, limit.tier, limit.per_ms) for limit in limits]
    for each in seen:
        if seen.count(each) > 1:
            raise ValueError("has two limits with the same `by`, `tier` and `per`: remove one")
    return limits


RateLimits = Annotated[
    tuple[RateLimit, ...],
    BeforeValidator(_listed),
    AfterValidator(_no_equal),
    Field(max_length=MOST_LIMITS, description="All apply; a caller over one of them gets 429."),
]

ANY_ORIGIN = "*"
_ORIGIN = re.compile(
    r"(https?)://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
_LAST_PORT = 65_535
_DEFAULT_PORT = {"http": "80", "https": "443"}
_ORIGIN_RULE = (
    "must be an origin as browsers send it: scheme://host or scheme://host:port in lower case, "
    "without a path, for example https://app.example.com"
)


def _origin(text: str) -> str:
    if text == ANY_ORIGIN:
        return text
    if text == "null":
        raise ValueError("must not be null: every sandboxed page and local file has this origin")
    found = _ORIGIN.fullmatch(text)
    if not found or int(found[2] or 1) > _LAST_PORT or _has_no_host(text):
        raise ValueError(f"{_ORIGIN_RULE}, but is {text!r}")
    if found[2] == _DEFAULT_PORT[found[1]]:
        raise ValueError(
            f"must be without its default port, as browsers send it: {text.rpartition(':')[0]}"
        )
    return text


def _has_no_host(text: str) -> bool:
    try:
        return not urlsplit(text).hostname
    except ValueError:  # no IPv6 address in brackets
        return True


HeaderName = Annotated[
    Text, matching(rf"^{_HEADER_NAME}$", "must be the name of a header in lower case", "x-page")
]
MOST_NAMES = 64
DEFAULT_HEADERS = ("authorization", "content-type")


class Cors(StrictModel):
    """Web pages of other origins that may call the route (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

    origins: Annotated[
        tuple[Annotated[Text, Field(max_length=300), AfterValidator(_origin)], ...],
        Field(min_length=1, max_length=MOST_NAMES, description="Exact origins, or `*` alone."),
    ]
    credentials: Annotated[
        bool, Field(strict=True, description="Whether browsers may send cookies.")
    ] = False
    headers: Annotated[
        tuple[HeaderName, ...],
        Field(max_length=MOST_NAMES, description="Of requests that pages may set."),
    ] = DEFAULT_HEADERS
    expose: Annotated[
        tuple[HeaderName, ...],
        Field(max_length=MOST_NAMES, description="Of answers that pages may read."),
    ] = ()
    max_age: Annotated[
        Duration, within("1s", "24h"), Field(description="How long browsers keep the answer.")
    ] = "10m"

    @model_validator(mode="after")
    def _any_is_alone(self) -> Cors:
        if ANY_ORIGIN in self.origins and (self.credentials or len(self.origins) > 1):
            raise ValueError(
                "has the origin `*` with `credentials: true` or with other origins: list the "
                "origins of your pages"
            )
        return self

    @property
    def max_age_ms(self) -> int:
        """Milliseconds for which browsers may keep the answer to a preflight request."""
        return parse_duration(self.max_age)

    def __str__(self) -> str:
        """Return the pages as `svcgen routes` shows them."""
        return " ".join(self.origins) + (", with credentials" if self.credentials else "")


def other_tiers(limits: Sequence[RateLimit], limit: RateLimit) -> tuple[str, ...]:
    """Return the tiers whose callers a limit without a tier does not apply to: they have others."""
    if limit.tier:
        return ()
    return tuple(dict.fromkeys(each.tier for each in limits if each.tier and each.by == limit.by))


def wait_seconds(limits: Sequence[RateLimit]) -> int | None:
    """Return the longest time until a refused caller may ask again; None where that is never.

    A caller refused by one limit may have used up another one too.
    """
    waits = [limit.wait_seconds for limit in limits]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known and len(known) == len(waits) else None
