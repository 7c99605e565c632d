"""The gateway as `svcgen compose` starts it: its user, its health check, its end."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svcgen.certificates import make_ca, make_certificate
from tests.support.envoy_process import Answer, free_port, send, until
from tests.support.repository import REPOSITORY
from tests.support.workspaces import edit, make, stitch

pytestmark = pytest.mark.needs("docker")

UPSTREAM = REPOSITORY / "tests" / "support" / "upstream.py"
PROJECT = f"gatewaytest{os.getpid()}"


class Containers:
    """A stitched workspace that runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()

    def compose(self, *arguments: str) -> str:
        command = ["docker", "compose", "-p", PROJECT, *arguments]
        environment = {**os.environ, "GATEWAY_PORT": str(self.port)}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inspect(self) -> dict[str, Any]:
        name = self.compose("ps", "-a", "-q", "gateway").strip()
        found = subprocess.check_output(["docker", "inspect", name])
        answer: dict[str, Any] = json.loads(found)[0]
        return answer

    def send(self, path: str) -> Answer:
        return send(self.port, path)


def service(root: Path, name: str) -> None:
    """Make a service whose container is this folder's upstream.py on a bare Python."""
    folder = make(root, name)
    shutil.copy(UPSTREAM, folder)
    own = {
        "image": "python:3.14-slim",
        "command": ["python", "/srv/upstream.py", name],
        "volumes": ["./upstream.py:/srv/upstream.py:ro"],
        "networks": ["platform"],
        "stop_grace_period": "0s",
    }
    edit(
        folder / "compose.yaml",
        lambda written: written.update(services={name: own}, volumes={}, networks={"platform": {}}),
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    root = tmp_path_factory.mktemp("containers")
    service(root, "orders")
    stitch(root)
    running = Containers(root)
    try:
        running.compose("up", "--detach", "--wait", "--quiet-pull")
        yield running
    finally:
        running.compose("down", "--timeout", "0")


def test_requests_pass(shop: Containers) -> None:
    until(lambda: shop.send("/v1/orders").status == 200)
    assert shop.send("/v1/orders").json["service"] == "orders"
    assert shop.send("/nothing").headers["content-type"] == "application/problem+json"


def test_it_may_do_nothing_that_it_need_not(shop: Containers) -> None:
    found = shop.inspect()
    assert found["Config"]["User"] == "101"
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    ports = found["NetworkSettings"]["Ports"]
    published = {name: hosts for name, hosts in ports.items() if hosts}
    assert published == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(shop.port)}]}


def test_it_may_use_no_more_than_it_needs(shop: Containers) -> None:
    limits = shop.inspect()["HostConfig"]
    assert limits["Memory"] == 1280 << 20
    assert limits["PidsLimit"] == 512
    assert limits["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-file": "3", "max-size": "10m"},
    }
    hard = shop.compose("exec", "gateway", "bash", "-c", "ulimit -H -n").strip()
    files = 1 << 20 if hard == "unlimited" else int(hard)
    started = json.loads(shop.compose("exec", "gateway", "cat", "/tmp/envoy.json"))
    (connections, _heap) = started["overload_manager"]["resource_monitors"]
    most = connections["typed_config"]["max_active_downstream_connections"]
    assert most == min(20_000, (files - 100) // 2)


def test_a_new_service_is_served_without_a_new_gateway(shop: Containers) -> None:
    before = shop.inspect()["State"]["StartedAt"]
    service(shop.root, "added")
    stitch(shop.root)
    shop.compose("up", "--detach", "--wait")
    until(lambda: shop.send("/v1/added").status == 200)
    assert shop.inspect()["State"]["StartedAt"] == before


def test_the_end_waits_for_what_is_in_flight(shop: Containers) -> None:
    until(lambda: shop.send("/v1/orders").status == 200)
    answers: list[Answer] = []
    slow = threading.Thread(target=lambda: answers.append(shop.send("/v1/orders?slow=4")))
    slow.start()
    time.sleep(0.5)
    start = time.monotonic()
    shop.compose("stop", "gateway")
    slow.join()
    assert [answer.status for answer in answers] == [200]
    assert 2 < time.monotonic() - start < 30
    assert shop.inspect()["State"]["ExitCode"] == 0


def test_https_with_a_key_that_only_the_container_reads(shop: Containers) -> None:
    ca = make_ca("test")
    context = ssl.create_default_context(cadata=ca.certificate)
    (shop.root / "svcgen.yaml").write_text(
        "gateway: {tls: {certificate: cert.pem, key: key.pem}}\n"
    )

    def give() -> str:
        """Stitch the workspace with a new certificate, and return that."""
        pair = make_certificate(ca, ["127.0.0.1"])
        (shop.root / "cert.pem").write_text(pair.certificate)
        (shop.root / "key.pem").write_text(pair.key)
        stitch(shop.root)
        return pair.certificate

    def shown() -> str:
        address = ("127.0.0.1", shop.port)
        with (
            socket.create_connection(address, timeout=10) as connection,
            context.wrap_socket(connection, server_hostname=address[0]) as secure,
        ):
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")

    first = give()
    shop.compose("up", "--detach", "--wait")  # its health check passes
    assert shown() == first
    started = shop.inspect()["State"]["StartedAt"]
    second = give()
    until(lambda: shown() == second)
    assert shop.inspect()["State"]["StartedAt"] == started
    (mount,) = [each for each in shop.inspect()["Mounts"] if "tls" in each["Destination"]]
    assert not mount["RW"]
