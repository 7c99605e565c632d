"""What the gateway costs: requests a second, direct and through Envoy with less and more of ours.

Needs Go, `wrk` (a Debian package) and the Envoy of svcgen[local]. Nothing else may run meanwhile.
The proxy has one core and one worker; the upstream and the load share the other one. The variants
run in turn, so a machine whose speed drifts does not bend the ratio.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from svcgen.gateway.apply import KEYS_FILE, write_in_order
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.gateway.envoy.clusters import assignment, endpoints_file, socket_address, upstream_of
from svcgen.gateway.envoy.files import LocalPlacement, edge_files
from svcgen.gateway.envoy.listeners import MANAGER
from svcgen.gateway.envoy.xds import Values, document, extension
from svcgen.gateway.issuers import development_issuer
from svcgen.gateway.keys import hash_of, new_secret
from svcgen.gateway.registration import Registration
from svcgen.gateway.routes import route_table
from svcgen.gateway.tokens import ensure_key, sign
from svcgen.ports import free_port
from svcgen.run.local.envoy_program import find_envoy

UPSTREAM = Path(__file__).parent / "hello" / "upstream.go"
PATH = "/v1/hello"
CONNECTIONS = 64
SECONDS = 4  # of load, after one to warm up
ROUNDS = 5
LIMIT = {"requests": 1_000_000, "per": "1s", "by": "client_ip"}
PROXY_CORE, LOAD_CORE = "1", "0"
# The access log goes to a file, as with the local engine.
VARIANTS: Mapping[str, dict[str, Any]] = {
    "open": {"auth": "none"},
    "limit": {"auth": "none", "rate_limit": [LIMIT]},
    "token": {"auth": {"jwt": "dev", "scopes": ["hello:read"]}, "rate_limit": [LIMIT]},
    "key": {"auth": {"key": "partners"}, "rate_limit": [LIMIT]},
}


def bare(port: int, upstream: int) -> str:
    """Return the configuration of an Envoy that does nothing but pass requests on."""
    routes = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_EVERYTHING]}]}
    router = extension("envoy.filters.http.router", "filters.http.router.v3.Router")
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        MANAGER,
        stat_prefix="bare",
        route_config=routes,
        http_filters=[router],
    )
    listener = {
        "name": "bare",
        "address": socket_address("127.0.0.1", port),
        "filter_chains": [{"filters": [manager]}],
    }
    cluster = {
        "name": "hello",
        "type": "STATIC",
        "load_assignment": assignment("hello", [("127.0.0.1", upstream)]),
    }
    return document({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


_EVERYTHING: Values = {"match": {"prefix": "/"}, "route": {"cluster": "hello"}}


def edge(folder: Path, port: int, upstream: int, route: Mapping[str, Any], users: str) -> None:
    """Write the files of svcgen's gateway with one service and one route."""
    entry = {"path": PATH, "timeout": "5s", **route}
    service = Registration.model_validate(
        {"apiVersion": "svcgen.dev/v1", "service": "hello", "routes": {"hello": entry}}
    )
    placement = LocalPlacement(port, folder, folder / "admin")
    table, upstreams = route_table([service]), [upstream_of(service, 5_000)]
    files = edge_files(table, upstreams, placement, issuers=development_issuer(folder))
    own = {
        "eds/hello.json": endpoints_file("hello", [("127.0.0.1", upstream)]),
        KEYS_FILE: users,
    }
    write_in_order(folder, files | own, lambda _name: None)


@contextmanager
def running(core: str, *command: str, log: Path) -> Iterator[None]:
    """Run a program on one core, with its output in a file."""
    with log.open("wb") as output:
        pinned = ["taskset", "--cpu-list", core, *command]
        process = subprocess.Popen(pinned, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def until_answered(url: str, headers: Mapping[str, str]) -> None:
    """Wait until a URL answers 200."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers))):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise TimeoutError(url)


def rate(url: str, headers: Mapping[str, str], seconds: int) -> float:
    """Return how many requests a second a URL answers."""
    options = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["taskset", "--cpu-list", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}"]
    done = subprocess.run(
        [*command, f"-d{seconds}s", *options, url], check=True, capture_output=True, text=True
    )
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found
    return float(found[1])


def start(stack: ExitStack, folder: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Start all variants; return the URL and the headers of each."""
    hello, upstream = folder / "hello", free_port()
    subprocess.run(
        ["go", "build", "-o", str(hello), str(UPSTREAM)],
        check=True,
        env={**os.environ, "CGO_ENABLED": "0"},
    )
    served = ["env", f"PORT={upstream}", str(hello)]
    stack.enter_context(running(LOAD_CORE, *served, log=folder / "hello.log"))
    found: dict[str, tuple[str, dict[str, str]]] = {
        "direct": (f"http://127.0.0.1:{upstream}{PATH}", {})
    }
    envoy = [str(find_envoy()), "--disable-hot-restart", "--concurrency", "1"]
    envoy += ["--log-level", "error", "--file-flush-interval-msec", "200"]
    for name in ("bare", *VARIANTS):
        own, port = folder / name, free_port()
        own.mkdir()
        secret = new_secret()
        users = keys_document([("partners.acme", hash_of(secret))])
        headers = {}
        if name == "bare":
            (own / "envoy.json").write_text(bare(port, upstream))
        else:
            ensure_key(own)
            edge(own, port, upstream, VARIANTS[name], users)
        if name == "token":
            token = sign(own, "ann", ["hello:read"], seconds=3600).text
            headers = {"Authorization": f"Bearer {token}"}
        if name == "key":
            pair = base64.b64encode(f"partners.acme:{secret}".encode()).decode()
            headers = {"Authorization": f"Basic {pair}"}
        command = [*envoy, "-c", str(own / "envoy.json")]
        stack.enter_context(running(PROXY_CORE, *command, log=own / "log"))
        found[name] = (f"http://127.0.0.1:{port}{PATH}", headers)
    return found


def main() -> None:
    """Measure all variants in turn and print their medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        variants = start(stack, folder)
        measured: dict[str, list[float]] = {name: [] for name in variants}
        for url, headers in variants.values():
            until_answered(url, headers)
            rate(url, headers, 1)
        for _ in range(rounds):
            for name, (url, headers) in variants.items():
                measured[name].append(rate(url, headers, SECONDS))
    rates = {name: median(each) for name, each in measured.items()}
    print("| variant | requests a second | ratio to bare Envoy | range |")
    print("| --- | --- | --- | --- |")
    for name, each in rates.items():
        least, most = min(measured[name]), max(measured[name])
        ratio = each / rates["bare"]
        print(f"| {name} | {each:,.0f} | {ratio:.2f} | {least:,.0f} to {most:,.0f} |")


if __name__ == "__main__":
    main()
