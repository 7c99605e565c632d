"""The key `gateway.issuers` of svcgen.yaml: who signs the tokens that the gateway accepts."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from svcgen.addresses import forbidden_reason, is_loopback
from svcgen.service import NAME_PATTERN, NAME_RULE
from svcgen.strict import StrictModel, Text, matching

DEVELOPMENT = "dev"
KEY_ID_PREFIX = "svcgen-dev-"
LONGEST = 1024
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


def _not_development(name: str) -> str:
    if name == DEVELOPMENT:
        raise ValueError(
            f"must not contain {DEVELOPMENT}: it is the name of the development issuer, which "
            "needs no entry"
        )
    return name


def _keys_url(text: str) -> str:
    """Refuse a URL over which somebody on the way can replace the keys."""
    url = urlsplit(text) if _URL.fullmatch(text) else None
    if not url or not url.hostname or (url.scheme != "https" and not is_loopback(url.hostname)):
        raise ValueError("must be an https URL such as https://id.example.com/jwks.json")
    if reason := forbidden_reason(url.hostname):
        raise ValueError(f"must not have {reason}")
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("must have a port from 1 to 65535")
    return text


IssuerName = Annotated[
    Text, matching(f"^{NAME_PATTERN}$", NAME_RULE, "idp"), AfterValidator(_not_development)
]
# RFC 7519, section 2: StringOrURI. Tokens have the same text.
Identifier = Annotated[
    Text, matching(r"^[!-~]+$", "must be ASCII without spaces"), Field(max_length=LONGEST)
]
ClaimName = Annotated[
    Text,
    matching(r"^[A-Za-z0-9_:/#-]+$", "must be the name of a claim such as sub"),
    Field(max_length=LONGEST),
]


class Claims(StrictModel):
    """Which claims of a token say who the caller is, and what it may do."""

    subject: Annotated[ClaimName, Field(description="Becomes x-auth-subject.")] = "sub"
    scopes: Annotated[ClaimName, Field(description="Becomes x-auth-scopes; some issuers: scp.")] = (
        "scope"
    )


DEFAULT_CLAIMS = Claims()


class IssuerSettings(StrictModel):
    """An entry of `gateway.issuers`."""

    issuer: Annotated[Identifier, Field(description="The claim `iss` of its tokens.")]
    audiences: Annotated[
        tuple[Identifier, ...],
        Field(min_length=1, description="The claim `aud`: one of these."),
    ]
    jwks: Annotated[
        Text | None, Field(min_length=1, description="File with its public keys (RFC 7517).")
    ] = None
    jwks_url: Annotated[
        Text | None,
        AfterValidator(lambda text: _keys_url(text) if text is not None else None),
        Field(max_length=LONGEST, description="Address of its public keys."),
    ] = None
    claims: Claims = DEFAULT_CLAIMS

    @model_validator(mode="after")
    def _one_place_of_keys(self) -> IssuerSettings:
        if (self.jwks is None) == (self.jwks_url is None):
            raise ValueError("needs exactly one of jwks and jwks_url")
        return self
