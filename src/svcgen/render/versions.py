"""Where the template is, and which version it is."""

from __future__ import annotations

from pathlib import Path


def template_folder() -> Path:
    """Return the folder with `copier.yml` and `template/`: packaged, or this very checkout."""
    packaged = Path(__file__).parents[1] / "_template"
    return packaged if packaged.is_dir() else Path(__file__).parents[3]
