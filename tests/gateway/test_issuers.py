"""Issuers in svcgen.yaml: what cannot check a token is refused, with the key and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jwt.algorithms import ECAlgorithm

from svcgen.errors import SvcgenError
from svcgen.gateway.issuers import configured_issuers
from svcgen.settings import settings_of
from tests.support.tokens import EC_KEY, public

PRIVATE = ECAlgorithm.to_jwk(EC_KEY, as_dict=True)
ENTRY = {"issuer": "https://id.example", "audiences": ["shop"], "jwks": "keys.json"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "svcgen.yaml: gateway.issuers.idp.jwks: keys.json does not exist"),
        ("{", "cannot be read"),
        ({}, "is not a JWK set: it has no keys"),
        ({"keys": []}, "is not a JWK set: it has no keys"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "keys.0 has the kty 'oct'"),
        ({"keys": [PRIVATE]}, "keys.0 has a private member, d"),
        ({"keys": [public(EC_KEY, "svcgen-dev-1")]}, "is the key of a development issuer"),
    ],
)
def test_keys_that_cannot_serve_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    settings = settings_of({"gateway": {"issuers": {"idp": ENTRY}}}, tmp_path / "svcgen.yaml")
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "keys.json").write_text(text)
    with pytest.raises(SvcgenError) as refusal:
        configured_issuers(tmp_path, settings.gateway)
    assert message in refusal.value.problem
    assert "c2VjcmV0" not in refusal.value.problem


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("dev", {}, "must not contain dev: it is the name of the development issuer"),
        ("idp", {"jwks": None}, "needs exactly one of jwks and jwks_url"),
        ("idp", {"jwks_url": "https://a/b"}, "needs exactly one of jwks and jwks_url"),
        ("idp", {"jwks": None, "jwks_url": "http://id.example/keys"}, "must be an https URL"),
        ("idp", {"jwks": None, "jwks_url": "https://a b"}, "must be an https URL"),
        ("idp", {"jwks": None, "jwks_url": "https://user:x@a/b"}, "must be an https URL"),
        ("idp", {"jwks": None, "jwks_url": "http://localhost.evil/"}, "must be an https URL"),
        ("idp", {"audiences": []}, "audiences must not be empty"),
        ("idp", {"audiences": None}, "audiences is missing"),
        ("idp", {"issuer": "a b"}, "issuer must be ASCII without spaces"),
        (
            "idp",
            {"claims": {"scope": "x"}},
            'claims.scope is not a known key. Did you mean "scopes',
        ),
        ("idp", {"keys": "x"}, "gateway.issuers.idp.keys is not a known key"),
    ],
)
def test_a_faulty_issuer_is_named(
    tmp_path: Path, name: str, change: dict[str, Any], message: str
) -> None:
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not None}
    with pytest.raises(SvcgenError) as refusal:
        settings_of({"gateway": {"issuers": {name: entry}}}, tmp_path / "svcgen.yaml")
    assert message in refusal.value.problem
