"""The file that Envoy reads at its start; it names the folder of all other files.

It limits what all clients together can take: connections by the files that the process may open,
and memory for bodies by ending, when it becomes scarce, those that do not arrive.
"""

from __future__ import annotations

import re
from pathlib import Path

from svcgen.gateway.envoy import rate_limits, tracing
from svcgen.gateway.envoy.route_stats import MERGE_INTERVAL
from svcgen.gateway.envoy.xds import CONFIG, EXTENSIONS, Values, file_source

BOOTSTRAP = "envoy.json"
MAX_CONNECTIONS = 20_000
MAX_HEAP_BYTES = 1 << 30

_LIMIT = "max_active_downstream_connections"
_FILES_OF_ENVOY = 100  # its listeners, logs, event loops and watched files


def fit_connections(bootstrap_text: str, open_files: int) -> str:
    """Return the bootstrap with the connections that `open_files` (ulimit -n) can serve.

    A request in progress has a second connection, to its service. Without a limit that is kept,
    Envoy accepts nothing once its files are used up, until a client goes.
    """
    most = max(1, (open_files - _FILES_OF_ENVOY) // 2)
    return re.sub(rf'("{_LIMIT}": )[0-9]+', rf"\g<1>{min(MAX_CONNECTIONS, most)}", bootstrap_text)


def _action(name: str, **threshold: object) -> Values:
    return {
        "name": f"envoy.overload_actions.{name}",
        "triggers": [{"name": _HEAP, **threshold}],
    }


_HEAP = "envoy.resource_monitors.fixed_heap"
# From 60 s to 1 s without a byte, as memory fills up.
_REDUCE_TIMEOUTS: Values = {
    **_action("reduce_timeouts", scaled={"scaling_threshold": 0.7, "saturation_threshold": 0.9}),
    "typed_config": {
        "@type": f"{CONFIG}.overload.v3.ScaleTimersOverloadActionConfig",
        "timer_scale_factors": [
            {"timer": "HTTP_DOWNSTREAM_STREAM_IDLE", "min_timeout": "1s"},
            {"timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE", "min_timeout": "1s"},
        ],
    },
}
_OVERLOAD: Values = {
    "refresh_interval": "0.250s",
    "resource_monitors": [
        {
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": f"{EXTENSIONS}.resource_monitors.downstream_connections.v3"
                ".DownstreamConnectionsConfig",
                _LIMIT: MAX_CONNECTIONS,
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
        _REDUCE_TIMEOUTS,
        _action("shrink_heap", threshold={"value": 0.90}),
        _action("stop_accepting_requests", threshold={"value": 0.95}),
    ],
}


# Envoy can resolve `..;x` as `..` since CVE-2026-73551. Servers differ there, so the gateway keeps
# the segment, and the edge routes refuse it. They refuse QUERY, too, once HTTP/1.1 accepts it.
_PATHS: Values = {
    "envoy.reloadable_features.strip_dotdot_segments_with_parameters": False,
    "envoy.reloadable_features.http1_allow_query_method": True,
}
# Off by default in this version. A chunk that ends in a bare LF, and an Upgrade that the service
# refused but that stays in its answer, are read in different ways by different servers.
_MESSAGES: Values = {
    "envoy.reloadable_features.strict_chunk_parsing": True,
    "envoy.reloadable_features.strip_upgrade_header_on_failed_websocket_upgrades": True,
}
_RUNTIME = tracing.RUNTIME | rate_limits.RUNTIME | _PATHS | _MESSAGES


def bootstrap(folder: Path, admin: Values) -> Values:
    """Return the bootstrap; Envoy reads clusters and listeners from `folder` when they change."""
    return {
        "node": {"id": "gateway", "cluster": "gateway"},  # required for dynamic files
        "admin": admin,
        "stats_flush_interval": MERGE_INTERVAL,
        "dynamic_resources": {
            "cds_config": file_source(folder / "cds.json"),
            "lds_config": file_source(folder / "lds.json"),
        },
        "static_resources": {"clusters": [tracing.COLLECTOR]},
        "overload_manager": _OVERLOAD,
        "layered_runtime": {"layers": [{"name": "gateway", "static_layer": _RUNTIME}]},
    }
