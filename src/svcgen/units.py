"""Durations and sizes as registrations write them."""

from __future__ import annotations

import re

DURATION_EXAMPLES = "500ms, 5s or 1m30s"
SIZE_EXAMPLES = "512KiB or 1MiB"
# The Gateway API's own format (GEP-2257), so that the chart can hand it on as it is.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
SIZE_PATTERN = r"^[0-9]{1,6}(KiB|MiB|GiB)?$"

_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(text: str) -> int:
    """Return a duration such as `1m30s` or `250ms` in milliseconds; ValueError for other text."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"must be a duration such as {DURATION_EXAMPLES}")
    parts = re.findall(r"([0-9]+)(ms|h|m|s)", text)
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in parts)


def parse_size(text: str) -> int:
    """Return a size such as `1MiB` in bytes; ValueError for other text."""
    found = re.fullmatch(r"([0-9]{1,6})(KiB|MiB|GiB)?", text)
    if not found:
        raise ValueError(f"must be a size such as {SIZE_EXAMPLES}")
    return int(found[1]) * _BYTES[found[2] or ""]
