"""Services of one template at different versions, as their owners have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pathspec
import yaml

from svcgen.render.render import render_version
from svcgen.templates.base import Version
from tests.support.fleet import tree as trees
from tests.support.fleet.edits import Edit, edit
from tests.support.fleet.repository import copier
from tests.support.fleet.tree import Tree

MODEL = "svc000"
ANSWERS_FILE = ".copier-answers.yml"
# What decides which files a service has: each once with an owner of its own.
CHOICES = [
    {"name": MODEL, "stack": stack, "database": database, "calls": calls, **owner}
    for stack, (database, calls, owner) in product(
        ("python", "go", "typescript", "java"),
        (("none", [], {}), ("postgres", ["catalog"], {"owner": f"team-of-{MODEL}"})),
    )
]

Answers = Mapping[str, object]
EditService = Callable[[Tree, Collection[str], str], tuple[Tree, list[Edit]]]
"""Takes what was rendered, the paths that the template changes, and the name."""


@dataclass(frozen=True)
class History:
    """A template's versions: where updates find them, and each as plain files, the oldest first."""

    source: Path
    folders: Mapping[str, Path]
    by_copier: bool = False
    """Let Copier render it from its repository: a template that looks at its own version there."""
    _rendered: dict[object, Tree] = field(default_factory=dict)

    @cached_property
    def newest(self) -> str:
        """The version that every service is updated to."""
        return list(self.folders)[-1]

    def rendered(self, version: str, answers: Answers) -> Tree:
        """Return what a version makes of these answers; each is rendered once."""
        key = (version, repr(answers))
        if key not in self._rendered:
            with TemporaryDirectory() as folder:
                render = self._by_copier if self.by_copier else self._by_svcgen
                render(version, Path(folder, MODEL), answers)
                self._rendered[key] = trees.read(Path(folder, MODEL))
        return self._rendered[key]

    def _by_svcgen(self, version: str, folder: Path, answers: Answers) -> None:
        found = Version(str(self.source), version, self.folders[version])
        render_version(found, folder, answers)

    def _by_copier(self, version: str, folder: Path, answers: Answers) -> None:
        data = [f"--data={question}={answer}" for question, answer in answers.items()]
        copier("copy", f"--vcs-ref={version}", *data, self.source, folder, within=folder.parent)


@dataclass(frozen=True)
class Case:
    """One update: what the older and the newer version render, and what the owner has."""

    name: str
    version: str
    newest: str
    renamed: Mapping[str, str]
    """Answers under the names of questions that only the newer version has."""
    old: Tree
    new: Tree
    mine: Tree
    edits: Sequence[Edit]
    seeded: Callable[[str], bool]

    @property
    def changed(self) -> set[str]:
        """Return the paths that the template changes."""
        return {path for path in {*self.old, *self.new} if self.old.get(path) != self.new.get(path)}


def fleet(
    history: History, count: int, choices: Sequence[Answers] = tuple(CHOICES)
) -> Iterator[Case]:
    """Yield services at each version, of each choice that it has, one after another."""
    versions = list(history.folders)
    for number in range(count):
        version = versions[number % len(versions)]
        known = [choice for choice in choices if _has(history.folders[version], choice)]
        choice = known[number // len(versions) % len(known)]
        yield _case(history, f"svc{number + 1:03}", version, choice, edit)


def outdated(
    history: History, count: int, choices: Sequence[Answers], edit_service: EditService
) -> Iterator[Case]:
    """Yield services at the oldest version, of each choice in turn, with edits of this kind."""
    oldest = next(iter(history.folders))
    for number in range(count):
        choice = choices[number % len(choices)]
        yield _case(history, f"svc{number + 1:03}", oldest, choice, edit_service)


def _has(template: Path, choice: Answers) -> bool:
    """Tell whether this version has the stack already."""
    stacks = settings_of(template).get("stack", {}).get("choices", {}).values()
    return "stack" not in choice or choice["stack"] in stacks


def _case(
    history: History, name: str, version: str, choice: Answers, edit_service: EditService
) -> Case:
    template, newest = (history.folders[one] for one in (version, history.newest))
    answers, later = _known(template, choice), _known(newest, choice)
    package = f"com/acme/{name}"
    renamed = {key: _named(value, name) for key, value in later.items() if key not in answers}
    old = trees.named(history.rendered(version, answers), MODEL, name)
    new = trees.named(history.rendered(history.newest, later), MODEL, name)
    changed = {path for path in old if old[path] != new.get(path)}
    mine, edits = edit_service(old, changed, name)
    return Case(
        name=name,
        version=version,
        newest=history.newest,
        renamed=renamed,
        old=old,
        new=new,
        mine=mine,
        edits=edits,
        seeded=_seeded(newest, package),
    )


def _named(value: object, name: str) -> str:
    return str(value).replace(MODEL, name)


def _known(template: Path, choice: Answers) -> Answers:
    """Call the owner as this version's question does."""
    if "owner" in choice and "team" in settings_of(template):
        return {("team" if key == "owner" else key): value for key, value in choice.items()}
    return choice


def _seeded(template: Path, package: str) -> Callable[[str], bool]:
    settings = settings_of(template)
    condition = re.compile(r"\{% if _copier_operation == 'update' %\}(.*)\{% endif %\}")
    patterns = [
        found[1] for one in settings.get("_exclude", ()) if (found := condition.fullmatch(one))
    ]
    own = [pattern.replace("{{ path }}", package) for pattern in patterns]
    own += settings.get("_skip_if_exists", [])
    return pathspec.PathSpec.from_lines("gitignore", own).match_file


@cache
def settings_of(template: Path) -> dict[str, Any]:
    """Read a template's settings and questions."""
    named = (template / name for name in ("copier.yml", "copier.yaml"))
    path = next(path for path in named if path.exists())
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
