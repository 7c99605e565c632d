"""What `svcgen compose` would change, in words: services, routes, clusters and listeners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from svcgen.files import read_text
from svcgen.gateway.apply import LIMITS_FILE
from svcgen.service import COMPOSE_FILE

KINDS = {
    "cds.json": "cluster",
    LIMITS_FILE: "limit",
    "lds.json": "listener",
    "rds.json": "route",
}
_INCLUDED = re.compile(r"^  - (?:path: \[(.+?), gateway/.+\]|(.+))$", re.MULTILINE)

Parts = Mapping[str, object]
"""The named parts of a file."""


def changes(root: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line for each change of these files, which are new texts by relative path."""
    return tuple(line for path, text in files.items() for line in _changes(root, path, text))


def _changes(root: Path, path: str, text: str) -> Iterator[str]:
    current = read_text(root / path)
    if current is None:
        yield f"{path}: does not exist yet"
        return
    now, new = _parts(path, current), _parts(path, text)
    lines = [
        *(f"adds {name}" for name in new if name not in now),
        *(f"removes {name}" for name in now if name not in new),
        *(f"changes {name}" for name in new if name in now and now[name] != new[name]),
    ]
    # An edit of what has no name, for example of a comment.
    for line in lines or ["differs"]:
        yield f"{path}: {line}"


def _parts(path: str, text: str) -> Parts:
    """Return the parts of a file by kind and name; none when the file cannot be read."""
    name = path.rpartition("/")[2]
    if name == COMPOSE_FILE:
        included = {f"service {each[1] or each[2]}": each[0] for each in _INCLUDED.finditer(text)}
        return {**included, "the gateway's definition": _INCLUDED.sub("", text).split()}
    if name not in KINDS:
        return {}
    try:
        resources = json.loads(text)["resources"]
        if name == "rds.json":
            resources = [route for each in resources for route in _routes(each)]
        elif name == LIMITS_FILE:
            resources = [limit for each in resources for limit in _limits(each)]
        found: dict[str, list[object]] = {}
        for resource in resources:
            found.setdefault(f"{KINDS[name]} {resource['name']}", []).append(resource)
    except (ValueError, KeyError, TypeError):
        return {}
    return found


def _routes(configuration: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield routes; the 405s of all paths have one name, so the path is added."""
    for host in configuration["virtual_hosts"]:
        for route in host["routes"]:
            match = route["match"]
            path = match.get("path") or match.get("path_separated_prefix", "")
            own = "direct_response" in route and path and route["name"] == "method-not-allowed"
            yield {**route, "name": f"{route['name']} {path}"} if own else route


def _limits(configuration: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the counts of rate limits; the first entry has the name of the limit."""
    for count in configuration["typed_config"]["descriptors"]:
        yield {**count, "name": count["entries"][0]["value"]}
