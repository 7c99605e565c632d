"""The responses to requests without the credentials that a route asks for.

401 with a challenge, and 403 for a token that lacks a scope (RFC 6750, section 3) or a key of
another group. What exactly is wrong is for the caller, who has the token anyway; the log has
Envoy's own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from svcgen.gateway.apply import BASIC_AUTH
from svcgen.gateway.envoy.xds import Values, when

# The challenge for a key; the metadata of a route without keys has none, and it is left out.
_KEY_CHALLENGE = "%METADATA(ROUTE:gateway:challenge)%"


def _challenge(value: str, action: str = "APPEND_IF_EXISTS_OR_ADD") -> Values:
    return {"header": {"key": "www-authenticate", "value": value}, "append_action": action}


class Refusal(NamedTuple):
    """What the gateway answers where Envoy's details of the response begin with `details`."""

    details: str
    status: int
    detail: str
    error: str = "invalid_token"  # RFC 6750, section 3.1

    @property
    def expression(self) -> str:
        """The condition, in the Common Expression Language."""
        return f"response.code_details.startsWith('{self.details}')"

    @property
    def headers(self) -> list[Values]:
        """WWW-Authenticate; without a token it has no error."""
        bearer = _challenge(f'Bearer error="{self.error}"' if self.error else "Bearer")
        return [bearer, _challenge(_KEY_CHALLENGE)] if self.status == UNAUTHORIZED else [bearer]


class KeyRefusal(NamedTuple):
    """The same for a request that was checked as one with a key."""

    details: str
    status: int
    detail: str

    @property
    def expression(self) -> str:
        """The condition, in the Common Expression Language; a valid key has its name there."""
        valid = f"('{BASIC_AUTH}' in metadata.filter_metadata)"
        begins = f"response.code_details.startsWith('{self.details}')"
        return begins if self.status == UNAUTHORIZED else f"{begins} && {valid}"

    @property
    def headers(self) -> list[Values]:
        """WWW-Authenticate; the filter's own would repeat the URL with its query."""
        challenge = _challenge(_KEY_CHALLENGE, "OVERWRITE_IF_EXISTS")
        return [challenge] if self.status == UNAUTHORIZED else []


UNAUTHORIZED = 401
_DENIED = "jwt_authn_access_denied{"
_SEND_KEY = "Send it as the password, with its user name: curl -u GROUP.NAME:KEY."
# The first that matches.
REFUSALS: tuple[Refusal | KeyRefusal, ...] = (
    KeyRefusal("no_credential_for_basic_auth", 401, f"This route needs an API key. {_SEND_KEY}"),
    KeyRefusal("invalid_scheme_for_basic_auth", 401, f"This route needs an API key. {_SEND_KEY}"),
    KeyRefusal("invalid_format_for_basic_auth", 401, f"The key cannot be read. {_SEND_KEY}"),
    KeyRefusal("invalid_credential_for_basic_auth", 401, "The user name or the key is not valid."),
    KeyRefusal("rbac_access_denied", 403, "The route takes keys of another group or tier."),
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


def refusals() -> Iterator[tuple[Values, Refusal | KeyRefusal]]:
    """Yield each refusal with the filter of its mapper."""
    for refusal in REFUSALS:
        yield when(refusal.expression), refusal
