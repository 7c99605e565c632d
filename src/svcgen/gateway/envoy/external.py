"""The cluster of an external service: found by its URL, without replicas of our own.

A filter refuses each address that no external service can have, also one that a name resolves to:
a name that changes its address could otherwise reach what only the gateway can reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svcgen.addresses import FORBIDDEN, LOOPBACKS, Network, literal_address
from svcgen.gateway.envoy.clusters import (
    ClusterUpstream,
    cluster,
    longest_timeout,
    socket_address,
    tls_upstream,
)
from svcgen.gateway.envoy.xds import Values, extension, when
from svcgen.units import parse_duration

if TYPE_CHECKING:
    from svcgen.gateway.external import External

HOST_IN_CONTAINER = "host.docker.internal"
"""The name of this machine in a container; `extra_hosts` defines it where Docker does not."""

_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_RBAC = "envoy.filters.http.upstream_rbac"
_POLICY = "forbidden-address"

ADDRESS_REFUSED = when(f"response.code_details == 'rbac_access_denied_matched_policy[{_POLICY}]'")
"""Matches the response to a request whose address was refused."""


@dataclass(frozen=True)
class ExternalUpstream(ClusterUpstream):
    """How the gateway reaches an external service.

    Without `health_path` it is not asked for health. `server_name` is the name that its certificate
    must have, and empty without TLS; `ca` has CA certificates, and is empty for the system's.
    """

    host: str = ""
    host_header: str = ""
    loopback: bool = False
    server_name: str = ""
    verify: bool = True
    ca: str = ""

    @property
    def needs_system_cas(self) -> bool:
        """Whether its certificate is verified with the CAs of the system."""
        return bool(self.server_name) and self.verify and not self.ca


def external_upstream(external: External, default_timeout_ms: int) -> ExternalUpstream:
    """Return the upstream that an entry of `external` describes."""
    entry = external.entry
    health, tls = entry.health, entry.tls
    return ExternalUpstream(
        service=external.service,
        port=external.port,
        health_path=health.http if health else "",
        health_interval_ms=parse_duration(health.interval) if health else 0,
        timeout_ms=longest_timeout(external, default_timeout_ms),
        host=external.host,
        host_header=external.host_header,
        loopback=external.on_this_machine,
        server_name=((tls and tls.sni) or external.host) if external.https else "",
        verify=tls.verify if tls else True,
        ca=external.ca,
    )


def external_cluster(upstream: ExternalUpstream, *, ca_file: str, container: bool) -> Values:
    """Return the cluster; `ca_file` is the file of the system's CAs.

    In a container, the loopback addresses of a URL mean this machine, not the container.
    """
    values = cluster(upstream)
    endpoints = _endpoints(upstream, container=container)
    own_loopback = upstream.loopback and not container
    named = literal_address(endpoints[0]["address"]["socket_address"]["address"]) is None
    checks = [
        {**check, "http_health_check": {"path": upstream.health_path, "host": upstream.host_header}}
        for check in values.pop("health_checks")
        if upstream.health_path
    ]
    protocol = values.pop("typed_extension_protocol_options")[_HTTP]
    denied = FORBIDDEN if own_loopback else (*FORBIDDEN, *LOOPBACKS)
    return {
        **values,
        **({"health_checks": checks} if checks else {}),
        **(_NAMED if named else {"type": "STATIC"}),
        "load_assignment": {
            "cluster_name": upstream.service,
            "endpoints": [{"lb_endpoints": [{"endpoint": each} for each in endpoints]}],
        },
        "typed_extension_protocol_options": {
            _HTTP: {**protocol, "http_filters": [_refusing(denied), _CODEC]}
        },
        **_tls(upstream, ca_file),
    }


_NAMED: Values = {
    "type": "STRICT_DNS",
    "dns_lookup_family": "V4_PREFERRED",
    "dns_refresh_rate": "5s",  # a container's name gets another address when it is replaced
    "dns_failure_refresh_rate": {"base_interval": "0.500s", "max_interval": "2s"},
}
_CODEC = extension(
    "envoy.filters.http.upstream_codec", "filters.http.upstream_codec.v3.UpstreamCodec"
)


def _endpoints(upstream: ExternalUpstream, *, container: bool) -> list[Values]:
    port = upstream.port
    if upstream.loopback and container:
        return [{"address": socket_address(HOST_IN_CONTAINER, port)}]
    literal = literal_address(upstream.host)
    if upstream.loopback and literal is None:
        # Development servers listen on one of the two, as the machine resolves localhost.
        first, second = ({"address": socket_address(host, port)} for host in ("127.0.0.1", "::1"))
        if upstream.health_path:  # a health check only asks the first of several addresses
            return [first, second]
        return [{**first, "additional_addresses": [second]}]
    return [{"address": socket_address(str(literal or upstream.host), port)}]


def _refusing(networks: tuple[Network, ...]) -> Values:
    """Return the filter that answers 403 before it connects to an address of these networks."""
    matchers = [
        {
            "matcher": extension(
                "envoy.rbac.matchers.upstream_ip_port",
                "rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher",
                upstream_ip={
                    "address_prefix": str(network.network_address),
                    "prefix_len": network.prefixlen,
                },
            )
        }
        for network in networks
    ]
    policy = {"permissions": matchers, "principals": [{"any": True}]}
    rules = {"action": "DENY", "policies": {_POLICY: policy}}
    return extension(_RBAC, "filters.http.rbac.v3.RBAC", rules=rules)


def _tls(upstream: ExternalUpstream, ca_file: str) -> Values:
    """Return the transport socket of TLS; without TLS nothing."""
    if not upstream.server_name:
        return {}
    trusted = {"inline_string": upstream.ca} if upstream.ca else {"filename": ca_file}
    return tls_upstream(upstream.server_name, trusted if upstream.verify else None)
