"""Tokens of the development issuer: its key below .svcgen, and signing with it.

The one module that imports the libraries for it; they are large, so functions import them.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from svcgen.files import locked, read_text, write_atomic
from svcgen.gateway.issuers import DEVELOPMENT_ISSUER, DEVELOPMENT_KEYS, TRUSTED_UNTIL, public_part
from svcgen.issuer_settings import KEY_ID_PREFIX

ALGORITHM = "ES256"  # RFC 7518, section 3.4
MOST_SECONDS = 24 * 3600  # that a token may be valid
LOCK = "development-issuer.lock"


class Token(NamedTuple):
    """A signed token and what it says."""

    text: str
    expires: int  # seconds since 1970
    claims: dict[str, Any]


def ensure_key(state: Path) -> None:
    """Make the key of the development issuer in `.svcgen/`, unless it exists."""
    if not (state / DEVELOPMENT_KEYS).is_file():
        with locked(state / LOCK, create=True):
            if not (state / DEVELOPMENT_KEYS).is_file():
                _store(state, [_new_key()])


def rotate_key(state: Path) -> None:
    """Make a new key; tokens of the one before stay valid, and of older ones no longer."""
    with locked(state / LOCK, create=True):
        until = {TRUSTED_UNTIL: int(time.time()) + MOST_SECONDS}
        before = [public_part(key) | until for key in _stored(state)[:1]]
        _store(state, [_new_key(), *before])


def sign(
    state: Path,
    subject: str,
    scopes: Sequence[str] = (),
    seconds: int = 900,
    audiences: Sequence[str] = (),
) -> Token:
    """Return a token of the development issuer, whose key exists."""
    import jwt

    key = _stored(state)[0]
    now = int(time.time())
    claims: dict[str, Any] = {"iss": DEVELOPMENT_ISSUER, "sub": subject}
    if audiences:
        claims["aud"] = audiences[0] if len(audiences) == 1 else list(audiences)
    claims |= {"iat": now, "exp": now + seconds}
    if scopes:
        claims["scope"] = " ".join(dict.fromkeys(scopes))
    signer = jwt.PyJWK(key, algorithm=ALGORITHM).key
    text = jwt.encode(claims, signer, algorithm=ALGORITHM, headers={"kid": key["kid"]})
    return Token(text, now + seconds, claims)


def _new_key() -> dict[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    key: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    number = secrets.token_hex(8)
    return key | {"kid": f"{KEY_ID_PREFIX}{number}", "alg": ALGORITHM, "use": "sig"}


def _stored(state: Path) -> list[dict[str, Any]]:
    text = read_text(state / DEVELOPMENT_KEYS)
    keys: list[dict[str, Any]] = json.loads(text)["keys"] if text else []
    return keys


def _store(state: Path, keys: Sequence[dict[str, Any]]) -> None:
    write_atomic(state / DEVELOPMENT_KEYS, json.dumps({"keys": keys}) + "\n", 0o600)
