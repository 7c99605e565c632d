"""Tokens as issuers sign them, and as nobody should."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from svcgen.gateway.issuers import Issuer, key_set
from svcgen.issuer_settings import Claims

EC_KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def public(key: Any, kid: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    found: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    return found | {"kid": kid}


IDP = Issuer(
    "idp", "https://id.example", ("shop",), key_set([public(EC_KEY, "e1"), public(RSA_KEY, "r1")])
)
OTHER = Issuer(
    "other",
    "https://other.example",
    ("shop",),
    key_set([public(OTHER_KEY, "o1")]),
    claims=Claims(subject="email", scopes="scp"),
)


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": IDP.issuer, "aud": "shop", "sub": "ann", "exp": now + 300} | changes
    return {name: value for name, value in said.items() if value is not None}


def token(key: Any = EC_KEY, kid: str | None = "e1", **changes: object) -> str:
    headers = {"kid": kid} if kid else {}
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    return jwt.encode(claims(**changes), key, algorithm, headers)


def unsafe(header: Mapping[str, object], secret: bytes = b"", **changes: object) -> str:
    """Return a token with any header: libraries refuse to sign some of these."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims(**changes)).encode())}"
    signature = hmac.new(secret, text.encode(), hashlib.sha256).digest() if secret else b""
    return f"{text}.{part(signature)}"


def pem(key: Any) -> bytes:
    encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    found: bytes = key.public_key().public_bytes(encoding, kind)
    return found


def token_with_text_exp() -> str:
    payload = json.dumps(claims(exp="tomorrow")).encode()
    return jwt.PyJWS().encode(payload, EC_KEY, "ES256", {"kid": "e1"})


def with_header(**more: object) -> str:
    return jwt.encode(claims(), OTHER_KEY, "ES256", {"kid": "e1", **more})


def other(**changes: object) -> str:
    return token(OTHER_KEY, "o1", iss=OTHER.issuer, **{"email": "bob@example.com", **changes})
