"""A route of the development issuer: `up` says how to get a token, and the gateway accepts it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.envoy_process import problem, send, until
from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.run import svcgen
from tests.support.workspaces import route

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def token(shop: LocalWorkspace, *options: str) -> dict[str, str]:
    done = svcgen("token", "--sub", "ann", *options, within=shop.root)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1, "the token alone"
    return {"Authorization": f"Bearer {done.stdout.strip()}"}


def test_a_token_of_this_machine_opens_a_route(shop: LocalWorkspace) -> None:
    route(tiny(shop.root, "orders"), auth={"jwt": "dev", "scopes": ["orders:read"]})
    up = ("up", "--engine", "local", "--port", str(shop.port))
    started = svcgen(*up, within=shop.root)
    assert started.returncode == 0, started.stderr
    assert "svcgen token --sub ann --scope orders:read" in started.stdout
    problem(send(shop.port, "/v1/orders"), 401)
    problem(send(shop.port, "/v1/orders", headers=token(shop)), 403)
    first = token(shop, "--scope", "orders:read")
    assert send(shop.port, "/v1/orders", headers=first).status == 200

    second = token(shop, "--scope", "orders:read", "--rotate")
    until(lambda: send(shop.port, "/v1/orders", headers=second).status == 200)
    assert send(shop.port, "/v1/orders", headers=first).status == 200

    modes = {
        path: stat.S_IMODE((shop.root / ".svcgen" / path).stat().st_mode)
        for path in (".", "development-issuer.json", "gateway/access", "gateway/access/jwt.json")
    }
    assert list(modes.values()) == [0o700, 0o600, 0o755, 0o644]
    published = (shop.root / ".svcgen/gateway/access/jwt.json").read_text()
    assert '\\"d\\"' not in published, "no private key"

    assert svcgen("compose", within=shop.root).returncode == 0
    written = (shop.root / "gateway/access/jwt.json").read_text()
    assert json.loads(written)["resources"][0]["typed_config"]["providers"] == {}

    (shop.root / "svcgen.yaml").write_text(
        "gateway: {issuers: {idp: {issuer: a, audiences: [b], jwks: nowhere.json}}}\n"
    )
    unread = svcgen("token", "--sub", "ann", within=shop.root)
    assert (unread.returncode, unread.stdout) == (1, "")
    assert "nowhere.json" in unread.stderr
    assert (shop.root / ".svcgen/gateway/access/jwt.json").read_text() == published

    (shop.root / "svcgen.yaml").write_text("gateway: {development_issuer: false}\n")
    refused = svcgen("token", "--sub", "ann", within=shop.root)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "switches the development issuer off" in refused.stderr
    assert "gateway.development_issuer" in svcgen(*up, within=shop.root).stderr
