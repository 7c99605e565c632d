"""Whose address a client has: that of its connection, or the one that a trusted proxy names."""

from __future__ import annotations

from ipaddress import ip_network

from svcgen.gateway.envoy.xds import Values, extension
from svcgen.gateway_settings import GatewaySettings

_PROXY_PROTOCOL = extension(
    "envoy.filters.listener.proxy_protocol",
    "filters.listener.proxy_protocol.v3.ProxyProtocol",
    # Probes on this machine send none; they then have the address of their connection.
    allow_requests_without_proxy_protocol=True,
)


def listener_filters(settings: GatewaySettings) -> Values:
    """Return what the listener reads before HTTP."""
    return {"listener_filters": [_PROXY_PROTOCOL]} if settings.proxy_protocol else {}


def by_connection(settings: GatewaySettings) -> list[tuple[Values, Values]]:
    """Return the kinds of connections: which ones, and what their connection manager believes.

    A proxy is trusted by its address: any other client that sends X-Forwarded-For keeps the
    address of its connection. A number trusts each client to be behind so many proxies.
    """
    proxies = settings.trusted_proxies
    if isinstance(proxies, int):
        return [({}, {"xff_num_trusted_hops": proxies} if proxies else {})]
    if not proxies:
        return [({}, {})]
    ranges = [
        {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}
        for network in map(ip_network, proxies)
    ]
    match = {"filter_chain_match": {"source_prefix_ranges": ranges}}
    return [(match, {"xff_num_trusted_hops": 1}), ({}, {})]
