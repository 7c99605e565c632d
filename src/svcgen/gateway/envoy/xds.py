"""Envoy's configuration as plain values, written as JSON: in YAML a service `on` is true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Values = dict[str, Any]

EXTENSIONS = "type.googleapis.com/envoy.extensions"
CONFIG = "type.googleapis.com/envoy.config"


def extension(name: str, kind: str, **values: object) -> Values:
    """Return a named extension; `kind` is its message below envoy.extensions."""
    return {"name": name, "typed_config": {"@type": f"{EXTENSIONS}.{kind}", **values}}


def when(expression: str) -> Values:
    """Return the filter of a response mapper: a condition in the Common Expression Language."""
    name = "envoy.access_loggers.extension_filters.cel"
    kind = "access_loggers.filters.cel.v3.ExpressionFilter"
    return {"extension_filter": extension(name, kind, expression=expression)}


def file_source(path: Path) -> Values:
    """Return the source of a configuration that Envoy reads from a file, again when it changes."""
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def discovered(name: str, path: Path, kind: str) -> Values:
    """Return a filter whose configuration Envoy reads from a file (ECDS); see `discovery_file`."""
    source = {"config_source": file_source(path), "type_urls": [f"{EXTENSIONS}.{kind}"]}
    return {"name": name, "config_discovery": source}


def discovery_file(name: str, config: Mapping[str, object]) -> str:
    """Return the text of the file that a discovered filter reads.

    Envoy answers 500 to every request if the name of the resource differs from the filter's.
    """
    kind = f"{CONFIG}.core.v3.TypedExtensionConfig"
    return document({"resources": [{"@type": kind, "name": name, "typed_config": config}]})


def inlined(name: str, text: str) -> Values:
    """Return a discovered filter with its configuration inside, out of the text of its file."""
    return {"name": name, "typed_config": json.loads(text)["resources"][0]["typed_config"]}


def seconds(milliseconds: int) -> str:
    """Return milliseconds as a protobuf JSON duration: 1500 is `1.500s`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}s" if rest else f"{whole}s"


def document(values: Mapping[str, object]) -> str:
    """Return one JSON document, indented."""
    return json.dumps(values, indent=1) + "\n"


def resources(kind: str, items: Iterable[Mapping[str, object]], depth: int = 1) -> str:
    """Return a discovery file in which a pull request shows what changed.

    Each key of a resource has its own line, down to `depth` levels within the resource.
    """
    listed = [{"@type": f"{CONFIG}.{kind}", **item} for item in items]
    return _in_lines({"resources": listed}, depth + 2) + "\n"


def _in_lines(value: object, depth: int, indent: str = "") -> str:
    """Return JSON with a line for each key and element of the first `depth` levels."""
    if depth == 0 or not value or not isinstance(value, (dict, list)):
        return json.dumps(value, separators=(", ", ": "))
    inner = indent + " "
    if isinstance(value, dict):
        lines = [
            f"{inner}{json.dumps(key)}: {_in_lines(each, depth - 1, inner)}"
            for key, each in value.items()
        ]
    else:
        lines = [inner + _in_lines(each, depth - 1, inner) for each in value]
    brackets = "{}" if isinstance(value, dict) else "[]"
    return f"{brackets[0]}\n" + ",\n".join(lines) + f"\n{indent}{brackets[1]}"
