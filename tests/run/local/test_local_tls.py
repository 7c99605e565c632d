"""HTTPS with the local engine: turned on, renewed and turned off while the fleet runs."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from svcgen.certificates import Pair, fingerprint, make_ca, make_certificate
from svcgen.gateway.envoy.tls import FOLDER
from svcgen.run.local.paths import Paths
from tests.support.envoy_process import send, until
from tests.support.local_fleet import LocalWorkspace, tiny
from tests.support.run import svcgen

pytestmark = pytest.mark.needs("local")

CA = make_ca("test")
ON = "gateway: {tls: {certificate: cert.pem, key: key.pem}}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    workspace = LocalWorkspace(tmp_path / "shop")
    tiny(workspace.root, "orders")
    try:
        yield workspace
    finally:
        workspace.down()


def give(shop: LocalWorkspace) -> Pair:
    pair = make_certificate(CA, ["127.0.0.1"])
    (shop.root / "cert.pem").write_text(pair.certificate)
    (shop.root / "key.pem").write_text(pair.key)
    return pair


def shown(shop: LocalWorkspace) -> str:
    """Return the fingerprint of the certificate that the gateway shows, after a request."""
    context = ssl.create_default_context(cadata=CA.certificate)
    with closing(http.client.HTTPSConnection("127.0.0.1", shop.port, context=context)) as client:
        client.request("GET", "/v1/orders")
        assert client.getresponse().status == 200
        assert isinstance(client.sock, ssl.SSLSocket)
        return hashlib.sha256(client.sock.getpeercert(binary_form=True) or b"").hexdigest()


def test_https_is_turned_on_renewed_and_turned_off(shop: LocalWorkspace) -> None:
    shop.up()
    assert send(shop.port, "/v1/orders").status == 200

    first = give(shop)
    (shop.root / "svcgen.yaml").write_text(ON)
    shop.up()
    assert shown(shop) == fingerprint(first.certificate)
    listed = json.loads(svcgen("ps", "--json", within=shop.root).stdout)
    assert listed["url"] == f"https://127.0.0.1:{shop.port}"
    assert {replica["state"] for replica in listed["replicas"]} == {"ready"}

    renewed = give(shop)
    assert svcgen("compose", within=shop.root).returncode == 0
    until(lambda: shown(shop) == fingerprint(renewed.certificate))
    shop.up()
    assert shown(shop) == fingerprint(renewed.certificate)

    (shop.root / "svcgen.yaml").unlink()
    shop.up()
    assert send(shop.port, "/v1/orders").status == 200
    assert not list((Paths(shop.root).state / FOLDER).iterdir())


def test_a_fleet_begins_with_https_and_a_new_gateway_has_it(shop: LocalWorkspace) -> None:
    pair = give(shop)
    (shop.root / "svcgen.yaml").write_text(ON)
    shop.up()
    assert shown(shop) == fingerprint(pair.certificate)
    shop.down()
    shop.up()
    assert shown(shop) == fingerprint(pair.certificate)
