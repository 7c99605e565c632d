"""Who may call a route: the key `auth` of a registration, as models and as ways.

A route has one way for each kind of credential that it accepts; a route without a way is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from svcgen.errors import did_you_mean
from svcgen.service import NAME_PATTERN, NAME_RULE
from svcgen.strict import StrictModel, Text, mandatory, matching

Name = Annotated[Text, matching(f"^{NAME_PATTERN}$", NAME_RULE, "orders")]

# RFC 6749, section 3.3: scope-token.
SCOPE_PATTERN = r"^[!#-\[\]-~]+$"
Scope = Annotated[
    Text,
    matching(
        SCOPE_PATTERN,
        'must be a scope: ASCII without spaces, `"` and `\\`',
        "orders:read",
    ),
    Field(max_length=256),
]


class JwtWay(StrictModel):
    """Callers with a token of an issuer (RFC 7519) that has every one of the scopes."""

    jwt: Annotated[Name, Field(description="Name of the issuer in svcgen.yaml, or dev.")]
    scopes: Annotated[
        tuple[Scope, ...], Field(min_length=1, description="Absent: any token of the issuer.")
    ] = ()

    def __str__(self) -> str:
        return f"jwt {self.jwt}" + (f" ({' '.join(self.scopes)})" if self.scopes else "")


class KeyWay(StrictModel):
    """Callers with an API key of a group."""

    key: Annotated[Name, Field(description="Name of the group of keys.")]
    tier: Annotated[Name | None, Field(description="Absent: keys of every tier.")] = None

    def __str__(self) -> str:
        return f"key {self.key}" + (f" ({self.tier})" if self.tier else "")


Way = JwtWay | KeyWay
_KINDS = ("jwt", "key", "any")
_WRITE = (
    "write `auth: none` for a route that is open to everyone, or `auth: {jwt: ISSUER, scopes: "
    "[...]}`, or `auth: {key: GROUP}`"
)
_MANDATORY = f"is mandatory: {_WRITE}"
mandatory("auth", _MANDATORY)


def _kinds(value: object) -> list[str]:
    return [kind for kind in _KINDS if kind in value] if isinstance(value, dict) else []


def _one_kind(value: object) -> object:
    """Refuse what is none of the ways, in words that say what to write."""
    if value is None:
        raise ValueError(_MANDATORY)
    if isinstance(value, StrictModel) or value == "none":
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be one of these: {_WRITE}")
    kinds = _kinds(value)
    if not kinds:
        hints = (did_you_mean(str(key), _KINDS) for key in value)
        hint = next(filter(None, hints), _WRITE)
        raise ValueError(f"must have one of the keys jwt, key and any: {hint}")
    if len(kinds) > 1:
        parts = ", ".join(f"{{{kind}: {value[kind]}}}" for kind in kinds if kind != "any")
        raise ValueError(
            f"has {' and '.join(kinds)}, but one is allowed: write "
            f"`auth: {{any: [{parts}]}}` for a route that accepts either"
        )
    return value


def _jwt_or_key(value: object) -> object:
    if not isinstance(value, JwtWay | KeyWay) and _kinds(value) not in (["jwt"], ["key"]):
        raise ValueError("must be `{jwt: ISSUER, scopes: [...]}` or `{key: GROUP}`")
    return value


def _tag(value: object) -> str:
    """Return the model that a value is checked with."""
    if value == "none":
        return "[none]"
    if isinstance(value, StrictModel):
        return next(f"[{kind}]" for kind in _KINDS if kind in type(value).model_fields)
    return f"[{_kinds(value)[0]}]"


TaggedJwt = Annotated[JwtWay, Tag("[jwt]")]
TaggedKey = Annotated[KeyWay, Tag("[key]")]


class AnyWay(StrictModel):
    """Callers with one of several credentials."""

    any: Annotated[
        tuple[
            Annotated[TaggedJwt | TaggedKey, Discriminator(_tag), BeforeValidator(_jwt_or_key)], ...
        ],
        Field(min_length=2, description="At least two ways; one of them suffices."),
    ]


Auth = Annotated[
    Annotated[Literal["none"], Tag("[none]")]
    | TaggedJwt
    | TaggedKey
    | Annotated[AnyWay, Tag("[any]")],
    Discriminator(_tag),
    BeforeValidator(_one_kind),
]


def ways_of(auth: Any) -> tuple[Way, ...]:
    """Return the ways of the value of `auth`; none for an open route."""
    if isinstance(auth, AnyWay):
        return auth.any
    return () if auth == "none" else (auth,)


def ways_text(ways: Sequence[Way]) -> str:
    """Return the ways as tables show them: `none`, `jwt dev (orders:read) or key partners`."""
    return " or ".join(map(str, ways)) or "none"
