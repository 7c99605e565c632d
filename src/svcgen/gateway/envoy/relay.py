"""An Envoy that only forwards TCP: in Docker, from the name of a service to this machine."""

from __future__ import annotations

from svcgen.gateway.envoy.clusters import assignment, socket_address
from svcgen.gateway.envoy.xds import Values, extension


def relay_config(port: int, host: str, host_port: int) -> Values:
    """Return the bootstrap of an Envoy that forwards its port to another address."""
    proxy = extension(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="relay",
        cluster="host",
    )
    listener = {
        "name": "relay",
        "address": socket_address("0.0.0.0", port),  # noqa: S104 (in its container)
        "filter_chains": [{"filters": [proxy]}],
    }
    cluster = {
        "name": "host",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": assignment("host", [(host, host_port)]),
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
