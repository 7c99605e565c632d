"""Envoy's admin pages as they are written, read without an Envoy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import (
    ClusterHost,
    parse_clusters,
    parse_edge_routes,
    parse_route_stats,
    parse_stats,
)


def host(port: int, **health: Any) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"address": address, "health_status": {"eds_health_status": "HEALTHY"} | health}


def page(*hosts: dict[str, Any]) -> str:
    return json.dumps({"cluster_statuses": [{"name": "orders", "host_statuses": hosts}]})


def test_each_cluster_has_its_hosts() -> None:
    assert parse_clusters(page(host(8001), host(8002, failed_active_health_check=True))) == {
        "orders": (ClusterHost("127.0.0.1", 8001, True), ClusterHost("127.0.0.1", 8002, False))
    }


@pytest.mark.parametrize(
    ("health", "healthy"),
    [
        ({}, True),
        ({"failed_active_health_check": False}, True),
        ({"pending_active_hc": True}, False),
        ({"failed_outlier_check": True}, False),
        ({"eds_health_status": "DEGRADED"}, False),
        ({"eds_health_status": "UNHEALTHY"}, False),
    ],
)
def test_a_host_is_healthy_when_no_check_speaks_against_it(
    health: dict[str, Any], healthy: bool
) -> None:
    ((found,),) = parse_clusters(page(host(8001, **health))).values()
    assert found.healthy is healthy


def test_a_cluster_may_have_no_hosts() -> None:
    assert parse_clusters('{"cluster_statuses":[{"name":"orders"}]}') == {"orders": ()}
    assert parse_clusters("{}") == {}


def test_stats_are_counters_and_gauges() -> None:
    stats = [{"name": "lds.update_success", "value": 2}, {"name": "version", "value": "x"}, {}]
    assert parse_stats(json.dumps({"stats": stats})) == {"lds.update_success": 2}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"cluster_statuses":[{}],"stats":3,"configs":[{}]}', "no healthy"]
)
def test_text_of_another_format_is_refused(text: str) -> None:
    for parse in (parse_clusters, parse_stats, parse_route_stats, parse_edge_routes):
        with pytest.raises(SvcgenError, match="cannot be read"):
            parse(text)
