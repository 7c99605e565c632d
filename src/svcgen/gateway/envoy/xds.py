"""Envoy's configuration as plain values, written as JSON: in YAML a service `on` is true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Values = dict[str, Any]

EXTENSIONS = "type.googleapis.com/envoy.extensions"
CONFIG = "type.googleapis.com/envoy.config"


def extension(name: str, kind: str, **values: object) -> Values:
    """Return a named extension; `kind` is its message below envoy.extensions."""
    return {"name": name, "typed_config": {"@type": f"{EXTENSIONS}.{kind}", **values}}


def seconds(milliseconds: int) -> str:
    """Return milliseconds as a protobuf JSON duration: 1500 is `1.500s`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}s" if rest else f"{whole}s"


def document(values: Mapping[str, object]) -> str:
    """Return one JSON document, indented."""
    return json.dumps(values, indent=1) + "\n"


def resources(kind: str, items: Iterable[Mapping[str, object]]) -> str:
    """Return a discovery file with one resource a line, so that a change shows as one line."""
    lines = (
        json.dumps({"@type": f"{CONFIG}.{kind}", **item}, separators=(",", ":")) for item in items
    )
    return '{"resources":[\n' + ",\n".join(lines) + "\n]}\n"
