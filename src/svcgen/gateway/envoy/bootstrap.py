"""The file that Envoy reads at its start; it names the folder of all other files."""

from __future__ import annotations

from pathlib import Path

from svcgen.gateway.envoy.xds import EXTENSIONS, Values

MAX_CONNECTIONS = 20_000
MAX_HEAP_BYTES = 1 << 30


def _action(name: str, monitor: str, threshold: float) -> Values:
    trigger = {"name": monitor, "threshold": {"value": threshold}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}


_HEAP = "envoy.resource_monitors.fixed_heap"
_OVERLOAD: Values = {
    "refresh_interval": "0.250s",
    "resource_monitors": [
        {
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": f"{EXTENSIONS}.resource_monitors.downstream_connections.v3"
                ".DownstreamConnectionsConfig",
                "max_active_downstream_connections": MAX_CONNECTIONS,
            },
        },
        {
            "name": _HEAP,
            "typed_config": {
                "@type": f"{EXTENSIONS}.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": MAX_HEAP_BYTES,
            },
        },
    ],
    "actions": [
        _action("shrink_heap", _HEAP, 0.90),
        _action("stop_accepting_requests", _HEAP, 0.95),
    ],
}


# Envoy can resolve `..;x` as `..` since CVE-2026-73551. Servers differ there, so the gateway keeps
# the segment, and the edge routes refuse it. They refuse QUERY, too, once HTTP/1.1 accepts it.
_RUNTIME: Values = {
    "envoy.reloadable_features.strip_dotdot_segments_with_parameters": False,
    "envoy.reloadable_features.http1_allow_query_method": True,
}


def bootstrap(folder: Path, admin: Values) -> Values:
    """Return the bootstrap; Envoy reads clusters and listeners from `folder` when they change."""
    return {
        "node": {"id": "gateway", "cluster": "gateway"},  # required for dynamic files
        "admin": admin,
        "dynamic_resources": {
            "cds_config": _source(folder / "cds.json"),
            "lds_config": _source(folder / "lds.json"),
        },
        "overload_manager": _OVERLOAD,
        "layered_runtime": {"layers": [{"name": "gateway", "static_layer": _RUNTIME}]},
    }


def _source(path: Path) -> Values:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
