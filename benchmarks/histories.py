"""Versions of templates of others from their real histories."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.fleet.cases import MODEL, settings_of
from tests.support.fleet.commits import export

DRAWN = 6
_PROGRAMS = {"_tasks", "_migrations"}


def releases(clone: Path, root: Path) -> dict[str, Path]:
    """Export releases from the younger two thirds of a template's life, evenly drawn.

    Programs that it would run are left out: they are nothing of a merge.
    """
    command = ["git", "tag", "--merged", "HEAD", "--sort=creatordate"]
    said = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout
    tags = [tag for tag in said.split() if not set("abrc") & set(tag)]
    tags = tags[len(tags) // 3 :]
    drawn = [tags[round(n * (len(tags) - 1) / (DRAWN - 1))] for n in range(DRAWN)]
    folders = {tag: export(clone, tag, root / tag) for tag in drawn}
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
