"""The issuers whose tokens the gateway accepts, with the public keys that check their signatures.

Those of svcgen.yaml, and the development issuer `dev`, whose key is made on this machine.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.files import read_text
from svcgen.gateway_settings import GatewaySettings
from svcgen.issuer_settings import (
    DEFAULT_CLAIMS,
    DEVELOPMENT,
    KEY_ID_PREFIX,
    Claims,
    IssuerSettings,
)
from svcgen.settings import SETTINGS_FILE

DEVELOPMENT_ISSUER = "svcgen-development"
DEVELOPMENT_KEYS = "development-issuer.json"  # below .svcgen; of mode 0600
TRUSTED_UNTIL = "svcgen_trusted_until"  # member of a key that was replaced; seconds since 1970

# RFC 7518, section 6: members that only the owner of a key has.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PUBLIC_KINDS = ("RSA", "EC", "OKP")


@dataclass(frozen=True)
class Issuer:
    """One issuer: `keys` is its JWK set (RFC 7517) as text, or `url` is where Envoy gets it."""

    name: str
    issuer: str
    audiences: tuple[str, ...] = ()
    keys: str = ""
    url: str = ""
    claims: Claims = DEFAULT_CLAIMS


def configured_issuers(root: Path, settings: GatewaySettings) -> tuple[Issuer, ...]:
    """Return the issuers of svcgen.yaml, sorted by name; SvcgenError for keys that cannot serve."""
    return tuple(
        Issuer(
            name=name,
            issuer=each.issuer,
            audiences=each.audiences,
            keys=_read_keys(root, name, each),
            url=each.jwks_url or "",
            claims=each.claims,
        )
        for name, each in sorted(settings.issuers.items())
    )


def development_issuer(state: Path) -> tuple[Issuer, ...]:
    """Return the development issuer of a `.svcgen/`; none before its first key is made."""
    stored = read_text(state / DEVELOPMENT_KEYS)
    keys = json.loads(stored)["keys"] if stored else []
    valid = [public_part(key) for key in keys if key.get(TRUSTED_UNTIL, math.inf) > time.time()]
    return (Issuer(DEVELOPMENT, DEVELOPMENT_ISSUER, keys=key_set(valid)),) if valid else ()


def public_part(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JWK without its private members."""
    return {name: value for name, value in key.items() if name not in {*_PRIVATE, TRUSTED_UNTIL}}


def key_set(keys: Iterable[Mapping[str, Any]]) -> str:
    """Return a JWK set as text, always the same for the same keys."""
    return json.dumps({"keys": list(keys)}, separators=(",", ":"), sort_keys=True)


def _read_keys(root: Path, name: str, settings: IssuerSettings) -> str:
    if settings.jwks is None:
        return ""
    place = f"{SETTINGS_FILE}: gateway.issuers.{name}.jwks: {settings.jwks}"
    advice = "Write the issuer's public keys there, as its `jwks_uri` has them."
    try:
        text = read_text(root / settings.jwks)
        content = json.loads(text) if text is not None else None
    except (OSError, ValueError) as error:
        raise SvcgenError(f"{place} cannot be read: {error}.", advice) from error
    if text is None:
        raise SvcgenError(f"{place} does not exist.", advice)
    keys = content.get("keys") if isinstance(content, dict) else None
    if not (isinstance(keys, list) and keys and all(isinstance(key, dict) for key in keys)):
        raise SvcgenError(f"{place} is not a JWK set: it has no keys.", advice)
    for number, key in enumerate(keys):
        if problem := _key_problem(key):
            raise SvcgenError(f"{place}: keys.{number} {problem}.", advice)
    return key_set(keys)


def _key_problem(key: Mapping[str, Any]) -> str:
    """Return why a key cannot check signatures; empty when it can."""
    if key.get("kty") not in _PUBLIC_KINDS:
        return f"has the kty {key.get('kty')!r}, but must be a public key: RSA, EC or OKP"
    if private := sorted(_PRIVATE & key.keys()):
        return f"has a private member, {private[0]}: a reader of the file could sign tokens"
    if str(key.get("kid", "")).startswith(KEY_ID_PREFIX):
        return "is the key of a development issuer, which no other issuer may use"
    return ""
