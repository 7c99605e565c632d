"""A checkout of this template with releases of its own, cut as `make release` cuts them."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.release import cut_release
from tests.support.repository import REPOSITORY
from tests.support.templates import commit, git

HEAD = (
    "# Changelog\n\nTwo things are versioned apart.\n\n## Unreleased\n\n### Template\n\n- Soon.\n"
)


def checkout(folder: Path) -> Path:
    """Make a repository of the template as it stands here; nothing is committed yet."""
    listed = ("ls-files", "-co", "--exclude-standard", "-z", "copier.yml", "template")
    for name in filter(None, git(*listed, within=REPOSITORY).split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    (folder / "CHANGELOG.md").write_text(HEAD)
    (folder / "README.md").write_text("no part of the template\n")
    git("init", "--quiet", within=folder)
    commit(folder, "the template")
    return folder


def tell(folder: Path, version: str, part: str = "Template") -> None:
    """Write and commit what a version changes."""
    file = folder / "CHANGELOG.md"
    section = f"## {version} - 2026-11-24\n\n### {part}\n\n- What {version} brings.\n"
    head, _, rest = file.read_text().partition("\n## v")
    file.write_text(f"{head}\n{section}" + (f"\n## v{rest}" if rest else ""))
    commit(folder, version)


def change(folder: Path, line: str) -> None:
    """Add a line to a file that each service in Python has."""
    file = folder / "template/{{python}}/Makefile"
    file.write_text(f"{file.read_text()}# {line}\n")
    commit(folder, line)


def release(folder: Path, version: str) -> Path:
    """Cut a release into a bundle beside the checkout."""
    tell(folder, version)
    bundle = folder.with_suffix(".bundle")
    cut_release(folder, version, bundle)
    return bundle
