"""Versions of our template as it really grew: old commits of this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.repository import REPOSITORY

# One stack, its types, two stacks, three, and all that there are.
COMMITS = ("b444091", "94d980e", "654a272", "df00780", "HEAD")


def write_versions(root: Path) -> dict[str, Path]:
    """Write each into a folder of its own; return them by name, none in a shallow clone."""
    command = ["git", "cat-file", "-e", COMMITS[0]]
    known = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True)
    if known.returncode:
        return {}
    found = {}
    for number, commit in enumerate(COMMITS, start=1):
        folder = export(REPOSITORY, commit, root / commit, "copier.yml", "template")
        _derive_path(folder / "copier.yml")
        found[f"v0.{number}.0"] = folder
    return found


def _derive_path(settings: Path) -> None:
    """Give a version what later ones derive: Copier fills their `_exclude` with its answers.

    It breaks off where one is missing, and there would be nothing to compare with.
    """
    text = settings.read_text(encoding="utf-8")
    if "\npath:" not in text:
        settings.write_text(f'{text}\npath: {{type: str, when: false, default: ""}}\n')


def export(clone: Path, commit: str, folder: Path, *paths: str) -> Path:
    """Write a commit's files into a new folder."""
    folder.mkdir(parents=True)
    command = ["git", "archive", commit, *paths]
    archive = subprocess.run(command, cwd=clone, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    return folder
