"""Five versions of our own template: the current one, and what four years might make of it.

Each step has what templates go through: changes in shared files and in each stack's, a dependency
raised in each manifest and its lock, one added, a file renamed, one deleted, new ones (managed and
seeded), a question added and one renamed. Nothing here knows a line of the template.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.support.fleet import lines
from tests.support.fleet.edits import ADOPTED, MANIFESTS
from tests.support.repository import REPOSITORY

VERSIONS = ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v2.0.0")
RENAMED = ("chart/templates/pdb.yaml", "chart/templates/disruption.yaml")
DELETED = "chart/templates/hpa.yaml"
ADDED = "docs/operations.md"
ADDED_SEEDED = "chart/alerts.yaml"
# A dependency of each stack, as its manifest and its lock name it.
RAISED = ("fastapi", "github.com/google/uuid", '"fastify"', "palantir.version")
_WITH_A_DEPENDENCY = {"v1.1.0": "retry", "v1.3.0": ADOPTED}
_CHANGED_PART = 0.25

Settings = dict[str, Any]


def write_versions(root: Path) -> dict[str, Path]:
    """Write each version of the template into a folder of its own; return them by name."""
    folders = {version: root / version for version in VERSIONS}
    copy_template(folders[VERSIONS[0]])
    forget_answers(folders[VERSIONS[0]])
    for old, new in itertools.pairwise(VERSIONS):
        shutil.copytree(folders[old], folders[new])
        evolve(folders[new], new)
    return folders


def copy_template(folder: Path) -> None:
    """Copy the template of this checkout, as git would commit it."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z", "copier.yml", "template"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)


def evolve(folder: Path, version: str) -> None:
    """Turn the version before into this one, in its folder."""
    for path in sorted((folder / "template").rglob("*")):
        if path.is_file() and "answers_file" not in path.name:
            _edit(path, path.relative_to(folder / "template").as_posix(), version)
    _raise_dependencies(folder / "template", 1 + VERSIONS.index(version))
    if version in _WITH_A_DEPENDENCY:
        _add_dependency(folder / "template", _WITH_A_DEPENDENCY[version])
    _STEPS.get(version, _nothing)(folder)


def _edit(path: Path, name: str, version: str) -> None:
    draw = Random(f"{version} {name}")
    if draw.random() > _CHANGED_PART or not lines.can_change(name):
        return
    for number in range(draw.randint(1, 3)):
        text = path.read_text(encoding="utf-8")
        free = lines.free_positions(text) if name.endswith(".jinja") else _filled(text)
        if free:
            how = draw.choice((lines.insert, lines.insert, lines.change, lines.delete))
            word = f"template {version} {number}"
            changed = how(text.split("\n"), name, draw.choice(free), word, draw)
            path.write_text("\n".join(changed), encoding="utf-8")


def _filled(text: str) -> list[int]:
    return [number for number, line in enumerate(text.split("\n")) if line]


def _raise_dependencies(template: Path, by: int) -> None:
    for path in _manifests(template):
        text = path.read_text(encoding="utf-8")
        for name in RAISED:
            text = lines.bump(text, name, by)
        path.write_text(text, encoding="utf-8")
    for name in ("requirements*.txt", "go.sum", "package-lock.json"):
        for path in template.rglob(name):
            path.write_text(lines.bump(path.read_text(), RAISED[0], by), encoding="utf-8")


def _add_dependency(template: Path, name: str) -> None:
    """Add a dependency to each manifest, where owners add theirs too."""
    for path in _manifests(template):
        draw = Random(f"{name} {path.name}")  # the same for both stores of a stack
        text = lines.add_dependency(path.read_text(encoding="utf-8"), path.name, name, draw)
        path.write_text(text, encoding="utf-8")


def _manifests(template: Path) -> list[Path]:
    return [path for name in MANIFESTS for path in sorted(template.rglob(f"{name}*"))]


def _nothing(folder: Path) -> None:
    assert folder.is_dir()


def _rename_a_file_and_ask_for_a_tier(folder: Path) -> None:
    one, other = (folder / "template" / name for name in RENAMED)
    one.rename(other)
    other.write_text(f"{other.read_text()}# Renamed: the budget is for any disruption.\n")

    def ask(settings: Settings) -> None:
        settings["tier"] = {"type": "str", "choices": ["standard", "gold"], "default": "standard"}

    _settings(folder, ask)
    with (folder / "template/chart/Chart.yaml.jinja").open("a") as chart:
        chart.write("annotations: {tier: {{ tier }}}\n")


def _delete_a_file_and_call_the_owner_a_team(folder: Path) -> None:
    (folder / "template" / DELETED).unlink()

    def rename(settings: Settings) -> None:
        text = yaml.safe_dump(settings.pop("owner"))
        settings["team"] = yaml.safe_load(re.sub(r"\bowner\b", "team", text))
        mine = settings.setdefault("_svcgen", {})
        mine.setdefault("answers", []).append({"version": "v1.3.0", "renamed": {"owner": "team"}})

    _settings(folder, rename)
    for path in (folder / "template").rglob("*.jinja"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"\{\{ owner\b", "{{ team", text), encoding="utf-8")


def _add_files(folder: Path) -> None:
    for name, text in {
        f"{ADDED}.jinja": "# Operating {{ name }}\n\nAsk {{ team }}.\n",
        ADDED_SEEDED: "alerts: [] # what to be woken for\n",
    }.items():
        (folder / "template" / name).parent.mkdir(exist_ok=True)
        (folder / "template" / name).write_text(text)
    seeded = f"{{% if _copier_operation == 'update' %}}/{ADDED_SEEDED}{{% endif %}}"
    _settings(folder, lambda settings: settings["_exclude"].append(seeded))


def forget_answers(folder: Path) -> None:
    """Leave out what became of answers in the real versions, whose names are taken here."""
    _settings(folder, lambda settings: settings.get("_svcgen", {}).pop("answers", None))


def _settings(folder: Path, change: Callable[[Settings], object]) -> None:
    path = folder / "copier.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(settings)
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")


_STEPS = {
    "v1.2.0": _rename_a_file_and_ask_for_a_tier,
    "v1.3.0": _delete_a_file_and_call_the_owner_a_team,
    "v2.0.0": _add_files,
}
