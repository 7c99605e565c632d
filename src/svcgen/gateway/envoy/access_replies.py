"""The responses to requests without the credentials that a route asks for.

401 with a challenge, and 403 for a token that lacks a scope (RFC 6750, section 3). What exactly is
wrong is for the caller, who has the token anyway; the log has Envoy's own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from svcgen.gateway.envoy.xds import Values, extension


class Refusal(NamedTuple):
    """What the gateway answers where Envoy's details of the response begin with `details`."""

    details: str
    status: int
    detail: str
    error: str = "invalid_token"  # RFC 6750, section 3.1

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate; without a token it has no error."""
        return f'Bearer error="{self.error}"' if self.error else "Bearer"


_DENIED = "jwt_authn_access_denied{"
# The first that matches.
REFUSALS = (
    Refusal(
        f"{_DENIED}Jwt_is_missing",
        401,
        "This route needs a token. Send it in the header Authorization: Bearer TOKEN.",
        error="",
    ),
    Refusal(f"{_DENIED}Jwt_is_expired", 401, "The token has expired."),
    Refusal(f"{_DENIED}Jwt_not_yet_valid", 401, "The token is not valid yet."),
    Refusal(f"{_DENIED}Audiences_in_Jwt", 401, "The token is for another audience."),
    Refusal(f"{_DENIED}Jwt_issuer", 401, "The token is not from the issuer of this route."),
    Refusal(f"{_DENIED}Jwt_verification_fails", 401, "The token has a wrong signature or no exp."),
    Refusal(f"{_DENIED}Jwks", 401, "No key of the token's issuer fits, or none can be read now."),
    Refusal(f"{_DENIED}Wrong_requirement", 401, "This gateway does not trust the route's issuer."),
    Refusal(_DENIED, 401, "The token is not valid."),
    Refusal(
        "rbac_access_denied",
        403,
        "The token lacks a scope of this route, or is not alone in its header.",
        error="insufficient_scope",
    ),
)


def refusals() -> Iterator[tuple[Values, Refusal]]:
    """Yield each refusal with the filter of its mapper."""
    for refusal in REFUSALS:
        expression = f"response.code_details.startsWith('{refusal.details}')"
        filtered = extension(
            "envoy.access_loggers.extension_filters.cel",
            "access_loggers.filters.cel.v3.ExpressionFilter",
            expression=expression,
        )
        yield {"extension_filter": filtered}, refusal
