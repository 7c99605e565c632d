"""The only module that imports Copier: from answers to the files of a service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def render_service(folder: Path, answers: Mapping[str, Any]) -> Path:
    """Write a new service into `folder` from these answers; the rest is the template's defaults."""
    from copier import Settings, run_copy

    from svcgen.render.versions import template_folder

    run_copy(
        str(template_folder()),
        folder,
        data=dict(answers),
        defaults=True,
        quiet=True,
        settings=Settings(),
    )
    return folder
