"""Which paths of a service are its own once written, as a template's settings list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Stand between patterns and between lists of them; no template uses these private code points.
_PATTERN, _LIST = "\ue000", "\ue001"


def patterns_text(settings: Mapping[str, Any]) -> str:
    """Write the patterns of a template as one text to render: for copy, for update, for both.

    Both are those of `_skip_if_exists`; the others those of `_exclude`, whose texts may ask which
    operation it is.
    """
    envops = settings.get("_envops") or {}
    start, end = envops.get("block_start_string", "{%"), envops.get("block_end_string", "%}")
    excluded = _PATTERN.join(map(str, settings.get("_exclude") or ()))
    skipped = _PATTERN.join(map(str, settings.get("_skip_if_exists") or ()))
    lists = [
        f"{start} set _copier_operation = '{operation}' {end}{excluded}"
        for operation in ("copy", "update")
    ]
    return _LIST.join([*lists, skipped])


def read_patterns(rendered: str) -> tuple[str, ...]:
    """Read the rendered text: what only an update leaves out, and what is skipped if it exists."""
    made, updated, skipped = (part.split(_PATTERN) for part in rendered.split(_LIST))
    only = [now for before, now in zip(made, updated, strict=True) if now != before]
    lines = (line for text in [*only, *skipped] for line in text.splitlines())
    return tuple(line for line in lines if line.strip())
