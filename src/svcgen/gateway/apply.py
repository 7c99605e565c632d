"""Writing the gateway's files where a running Envoy reads them, without losing a request.

Envoy loads a file when it is renamed into place. Clusters come before the routes that name them
and go after: first old and new clusters together, then issuers, listeners and routes, then the new
clusters alone. The folder itself is never replaced: a bind mount would keep the old one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic

WaitApplied = Callable[[str], None]
"""Called with the name of a file that was just replaced; returns when Envoy uses it (xDS ACK)."""


class RefusedFileError(SvcgenError):
    """A running Envoy keeps its old configuration because it cannot use a new file."""


CLUSTERS = "cds.json"
JWT_FILTER = "envoy.filters.http.jwt_authn"
BASIC_AUTH = "envoy.filters.http.basic_auth"
RATE_LIMIT = "envoy.filters.http.local_ratelimit"
ACCESS_FOLDER = "access"  # of the files that say who may call
ACCESS_FILE = f"{ACCESS_FOLDER}/jwt.json"  # whose tokens count; routes name what it has
KEYS_FILE = f"{ACCESS_FOLDER}/keys.json"  # whose keys count; `gateway.keys` alone writes it
LIMITS_FILE = "limits.json"
# The limits before the routes that count by them: a route without its bucket is not limited.
ROUTING = (CLUSTERS, ACCESS_FILE, LIMITS_FILE, "lds.json", "rds.json")
FIRST = ("eds/",)  # Envoy refuses a cluster while the file of its replicas is missing

Step = tuple[str, str]
"""The name of a file and its new text."""


def write_in_order(folder: Path, files: Mapping[str, str], wait_applied: WaitApplied) -> list[str]:
    """Write the files that differ, in the order in which Envoy may read them; return their names.

    `wait_applied` is called after each file of ROUTING that existed before and changed: Envoy may
    run. A SvcgenError from it ends the writing; the files written until then fit together. A file
    that Envoy refuses is replaced by the one before: Envoy would not start with it.
    """
    steps = steps_to(folder, files)
    for name, text in steps:
        before = read_text(folder / name)
        replace_text(folder / name, text)
        if before is None or name not in ROUTING:
            continue
        try:
            wait_applied(name)
        except RefusedFileError:
            replace_text(folder / name, before)
            raise
    return sorted({name for name, _text in steps})


def steps_to(folder: Path, files: Mapping[str, str]) -> list[Step]:
    """Return what is to be written, in order; clusters and limits may come twice."""
    changed = {name: text for name, text in files.items() if read_text(folder / name) != text}
    plain = [(name, changed[name]) for name in sorted(changed) if name not in ROUTING]
    plain.sort(key=lambda step: not step[0].startswith(FIRST))
    joined = {CLUSTERS: _with_removed, LIMITS_FILE: _with_removed_limits}
    routing: list[Step] = []
    after: list[Step] = []
    for name in ROUTING:
        old, new = read_text(folder / name), files.get(name)
        if new is None:
            continue
        both = joined[name](old, new) if name in joined else new
        routing += [] if both == old else [(name, both)]
        after += [] if both == new else [(name, new)]
    return [*plain, *routing, *after]


def replace_text(path: Path, text: str) -> None:
    """Write a file in one step, readable by the gateway's user whatever the umask."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)  # in the container another user reads it
    write_atomic(path, text, mode=0o644)


def cluster_names(folder: Path) -> frozenset[str]:
    """Return the names of the clusters in the gateway's files; none where it has no files."""
    return frozenset(_by_name(read_text(folder / CLUSTERS) or "{}"))


def _with_removed(old: str | None, new: str) -> str:
    """Return the new clusters together with the old ones that the new text lacks."""
    clusters = _by_name(new)
    removed = {name: each for name, each in _by_name(old or "{}").items() if name not in clusters}
    if not removed:
        return new
    merged = sorted({**clusters, **removed}.items())
    lines = ",\n".join(json.dumps(cluster, separators=(",", ":")) for _name, cluster in merged)
    return '{"resources":[\n' + lines + "\n]}\n"


def _with_removed_limits(old: str | None, new: str) -> str:
    """Return the new limits together with the old ones that routes still name.

    Envoy refuses two counts with the same entries: the new one replaces the old one.
    """
    try:
        before = json.loads(old or "{}")["resources"][0]["typed_config"]
        document = json.loads(new)
        after = document["resources"][0]["typed_config"]
        entries = {json.dumps(each["entries"]) for each in after["descriptors"]}
        counts = [
            each for each in before["descriptors"] if json.dumps(each["entries"]) not in entries
        ]
        actions = [each for each in before["rate_limits"] if each not in after["rate_limits"]]
    except (ValueError, KeyError, TypeError, IndexError):
        return new
    if not counts and not actions:
        return new
    after["descriptors"] += counts
    after["rate_limits"] += actions
    return json.dumps(document, separators=(",", ":")) + "\n"


def _by_name(text: str) -> dict[str, Any]:
    try:
        return {cluster["name"]: cluster for cluster in json.loads(text)["resources"]}
    except (ValueError, KeyError, TypeError):
        return {}  # edited by hand: Envoy cannot read it either
