"""The file that Envoy reads at its start; it names the folder of all other files.

What one client can take is limited: connections, by the files that the process may open, and memory
for bodies, by ending the requests that hold most of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from svcgen.gateway.envoy.tracing import COLLECTOR, RUNTIME
from svcgen.gateway.envoy.xds import EXTENSIONS, Values

BOOTSTRAP = "envoy.json"
MAX_CONNECTIONS = 20_000
MAX_HEAP_BYTES = 1 << 30
TRACKED_BODY_BITS = 16  # requests that hold 64 KiB or more

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
_OVERLOAD: Values = {
    "refresh_interval": "0.250s",
    "buffer_factory_config": {"minimum_account_to_track_power_of_two": TRACKED_BODY_BITS},
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
        _action(
            "reset_high_memory_stream",
            scaled={"scaling_threshold": 0.80, "saturation_threshold": 0.95},
        ),
        _action("shrink_heap", threshold={"value": 0.90}),
        _action("stop_accepting_requests", threshold={"value": 0.95}),
    ],
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
        "static_resources": {"clusters": [COLLECTOR]},
        "overload_manager": _OVERLOAD,
        "layered_runtime": {"layers": [{"name": "gateway", "static_layer": RUNTIME}]},
    }


def _source(path: Path) -> Values:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}
