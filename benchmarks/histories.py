"""Versions of templates from their real histories: of ours, and of others' clones."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.fleet.cases import MODEL, settings_of

REPOSITORY = Path(__file__).parents[1]
# Of this repository: one stack, its types, two stacks, three, and all that there are.
COMMITS = ("b444091", "94d980e", "654a272", "df00780", "HEAD")
DRAWN = 6
_PROGRAMS = {"_tasks", "_migrations"}


def commits(root: Path) -> dict[str, Path]:
    """Export old commits of our template as versions; none in a shallow clone."""
    command = ["git", "cat-file", "-e", COMMITS[0]]
    known = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True)
    if known.returncode:
        return {}
    found = {}
    for number, commit in enumerate(COMMITS, start=1):
        folder = _export(REPOSITORY, commit, root / commit, "copier.yml", "template")
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


def releases(clone: Path, root: Path) -> dict[str, Path]:
    """Export releases from the younger two thirds of a template's life, evenly drawn.

    Programs that it would run are left out: they are nothing of a merge.
    """
    command = ["git", "tag", "--merged", "HEAD", "--sort=creatordate"]
    said = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout
    tags = [tag for tag in said.split() if not set("abrc") & set(tag)]
    tags = tags[len(tags) // 3 :]
    drawn = [tags[round(n * (len(tags) - 1) / (DRAWN - 1))] for n in range(DRAWN)]
    folders = {tag: _export(clone, tag, root / tag) for tag in drawn}
    for folder in folders.values():
        kept = {key: value for key, value in settings_of(folder).items() if key not in _PROGRAMS}
        settings = next(folder.glob("copier.y*ml"))
        settings.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    return folders


def answers(folders: Mapping[str, Path]) -> dict[str, object]:
    """Answer what has no default in some version: with the first choice, or a name."""
    asked = [pair for folder in folders.values() for pair in settings_of(folder).items()]
    return {
        name: _answer(question) for name, question in asked if _must_be_answered(name, question)
    }


def _must_be_answered(name: str, question: object) -> bool:
    if name.startswith("_") or not isinstance(question, dict) or "default" in question:
        return False
    return "choices" in question or question.get("type", "str") in {"str", "bool"}


def _answer(question: Mapping[str, Any]) -> object:
    choices = question.get("choices", [MODEL])
    if question.get("type") == "bool":
        return True
    return next(iter(choices.values() if isinstance(choices, dict) else choices))


def _export(clone: Path, commit: str, folder: Path, *paths: str) -> Path:
    folder.mkdir(parents=True)
    command = ["git", "archive", commit, *paths]
    archive = subprocess.run(command, cwd=clone, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    return folder
