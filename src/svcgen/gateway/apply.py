"""Putting the gateway's files where a running Envoy reads them, without losing a request.

Envoy takes a file in when it is renamed into place. Clusters come before the routes that name
them and go after: first old and new clusters together, then listeners and routes, then the new
clusters alone. The folder itself is never replaced: a mounted folder would not be seen again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Settle = Callable[[str], None]
"""Called with the name of a file that was just renamed into place; returns when Envoy uses it."""

CLUSTERS = "cds.json"
ROUTING = (CLUSTERS, "lds.json", "rds.json")
FIRST = ("eds/",)  # a cluster is refused while the file of its replicas is missing


Step = tuple[str, str]
"""The name of a file and the text that it gets."""


def write_in_order(folder: Path, files: Mapping[str, str], settle: Settle) -> list[str]:
    """Write the files that differ, in the order in which Envoy may read them; return their names.

    `settle` is called after each file of ROUTING that was there before and changed: Envoy may run.
    A SvcgenError from it ends the writing; what was written by then fits together.
    """
    steps = steps_to(folder, files)
    for name, text in steps:
        known = (folder / name).exists()
        replace_text(folder / name, text)
        if known and name in ROUTING:
            settle(name)
    return sorted({name for name, _text in steps})


def steps_to(folder: Path, files: Mapping[str, str]) -> list[Step]:
    """Return what is to be written, in order; cds.json may come twice."""
    changed = {name: text for name, text in files.items() if read_text(folder / name) != text}
    plain = [(name, changed[name]) for name in sorted(changed) if name not in ROUTING]
    plain.sort(key=lambda step: not step[0].startswith(FIRST))
    before, after = _cluster_steps(read_text(folder / CLUSTERS), files.get(CLUSTERS))
    routing = [(name, changed[name]) for name in ROUTING[1:] if name in changed]
    return [*plain, *before, *routing, *after]


def replace_text(path: Path, text: str) -> None:
    """Write a file aside and rename it into place, readable for the gateway's own user."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)  # whatever the umask: in the container another user reads it
    _sweep(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.chmod(0o644)
    aside.replace(path)


def _sweep(path: Path) -> None:
    """Remove what killed runs were writing; one that is still at work keeps its own."""
    for left in path.parent.glob(f".{path.name}.*"):
        number = left.suffix.removeprefix(".")
        if number.isdecimal() and not _runs(int(number)):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True


def read_text(path: Path) -> str | None:
    """Return what a file holds; None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _cluster_steps(old: str | None, new: str | None) -> tuple[list[Step], list[Step]]:
    """Return the clusters to write before the routes, and those to write after them."""
    if new is None:
        return [], []
    both = _both(old, new)
    before = [] if both == old else [(CLUSTERS, both)]
    after = [] if both == new else [(CLUSTERS, new)]
    return before, after


def _both(old: str | None, new: str) -> str:
    """Return the new clusters with the old ones that are gone from them."""
    kept = _by_name(new)
    gone = {name: cluster for name, cluster in _by_name(old or "{}").items() if name not in kept}
    if not gone:
        return new
    merged = [{**kept, **gone}[name] for name in sorted({**kept, **gone})]
    lines = ",\n".join(json.dumps(cluster, separators=(",", ":")) for cluster in merged)
    return '{"resources":[\n' + lines + "\n]}\n"


def _by_name(text: str) -> dict[str, Any]:
    try:
        return {cluster["name"]: cluster for cluster in json.loads(text)["resources"]}
    except (ValueError, KeyError, TypeError):
        return {}  # was edited by hand and is no use to Envoy either
