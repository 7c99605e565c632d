"""Where the template is, and which version it is."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError

# The one place that names the public repository: services remember it for `copier update`.
SOURCE = "https://github.com/svcgen/svcgen.git"

_PACKAGED = Path(__file__).parents[1] / "_template"
_CHECKOUT = Path(__file__).parents[3]


def template_folder() -> Path:
    """Return the folder with `copier.yml` and `template/`: packaged, or this very checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


@cache
def template_version() -> str:
    """Return the template's version as Copier records it: `git describe --tags --always`.

    A wheel carries it as a file (hatch_build.py). Raises SvcgenError in a checkout without git,
    where no version could be recorded that an update would find again.
    """
    if _PACKAGED.is_dir():
        return (_PACKAGED / "VERSION").read_text(encoding="utf-8").strip()
    return _describe(_CHECKOUT)


def _describe(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--tags", "--always"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SvcgenError(
            f"The version of the template in {checkout} is not known.",
            "Install git, and work in a clone of svcgen; or install svcgen's wheel.",
        ) from error
