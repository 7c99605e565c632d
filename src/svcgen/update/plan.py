"""What an update would do to a service: both renders and the merge, and nothing is written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.git import NO_SETTINGS, keeps_modes, run
from svcgen.merge.files import Tree, read_tree, write_file
from svcgen.merge.merge import Change, Merged, Rules, looked_at, merge
from svcgen.render.refusals import refuse_fixed, refuse_unknown, render_stored
from svcgen.render.render import render_version, seeded_patterns
from svcgen.service import ANSWERS_FILE, read_answers
from svcgen.templates.base import Version
from svcgen.templates.declaration import read_declaration
from svcgen.templates.patterns import matcher
from svcgen.update.stored_answers import carried

# Of the files that the answers stand for: fewer are not this service's.
_HALF, _MOST = 0.5, 0.75
_AS_A_PATCH = ("--no-prefix", "--binary", "--no-renames")


@dataclass(frozen=True)
class Plan:
    """The way of one service from a version and answers to others."""

    folder: Path
    old: Version
    new: Version
    mine: Tree
    merged: Merged
    rendered: frozenset[str] = frozenset()  # every path that one of the two versions has

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would be written or removed, by path."""
        return self.merged.changes


def plan_update(
    folder: Path,
    old: Version,
    new: Version,
    data: Mapping[str, Any] | None = None,
    *,
    trusted: bool = False,
) -> Plan:
    """Plan a service's way to another version of its template; `data` are answers given anew.

    Raises SvcgenError when the answers do not parse, validate or render, or are not those that
    the service was made with.
    """
    stored = stored_answers(folder)
    answers = carried(stored, old, new)
    refuse_unknown(data or {}, new)
    refuse_fixed(answers, data or {})
    wanted = answers | dict(data or {})
    command = "reconfigure" if old == new else "update"
    return plan(folder, (old, stored), (new, wanted), command, trusted=trusted)


Rendering = tuple[Version, Mapping[str, Any]]


def plan(
    folder: Path, old: Rendering, new: Rendering, command: str, *, trusted: bool = False
) -> Plan:
    """Render both sides aside and merge them with what the service has.

    `command` is what takes another answer where one is refused: `update` or `reconfigure`.
    """
    with tempfile.TemporaryDirectory(prefix="svcgen-") as aside:
        # The folder's own name is a value that templates may use, as `_folder_name`.
        before, after = Path(aside, "old", folder.name), Path(aside, "new", folder.name)
        was = read_tree(render_version(old[0], before, old[1], trusted=trusted))
        will = read_tree(render_stored(new[0], after, new[1], command, trusted=trusted))
    _refuse_stranger(folder, was, read_declaration(old[0]).manifests)
    rules = _rules(old, new, trusted=trusted)
    mine = read_tree(folder, looked_at(was, will, rules))
    merged = _merged(folder, was, will, mine, rules)
    return Plan(folder, old[0], new[0], mine, merged, frozenset(was | will))


def _merged(folder: Path, was: Tree, will: Tree, mine: Tree, rules: Rules) -> Merged:
    """Merge; where the right to run means nothing it is no edit of the user's, and stays."""
    there = mine.keys() & was.keys()
    odd = {path for path in there if mine[path].executable != was[path].executable}
    if not odd or keeps_modes(folder):
        return merge(was, will, mine, rules)
    plain = {path: replace(mine[path], executable=was[path].executable) for path in odd}
    merged = merge(was, will, {**mine, **plain}, rules)
    return replace(merged, changes=tuple(_with_mode(one, mine, odd) for one in merged.changes))


def _with_mode(change: Change, mine: Tree, odd: Set[str]) -> Change:
    if change.after is None or change.path not in odd:
        return change
    return replace(change, after=replace(change.after, executable=mine[change.path].executable))


def stored_answers(folder: Path) -> dict[str, Any]:
    """Return what a service was asked, without Copier's own keys."""
    answers = read_answers(folder / ANSWERS_FILE)
    return {name: answer for name, answer in answers.items() if not name.startswith("_")}


def unified_diff(planned: Plan, place: str = "") -> str:
    """Return the plan as a patch for `git apply` or `patch -p1`; its paths begin at `place`.

    What is no UTF-8 in a file stands there as os.fsdecode would have it: print it with
    `surrogateescape`, or the patch does not apply.
    """
    with tempfile.TemporaryDirectory(prefix="svcgen-") as aside:
        for side, tree in (("a", planned.mine), ("b", _outcome(planned))):
            below = Path(aside, side, place)
            below.mkdir(parents=True)
            for path in (change.path for change in planned.changes):
                if path in tree:
                    write_file(below, path, tree[path])
        said = run(
            "diff", "--no-index", *_AS_A_PATCH, "a", "b", within=Path(aside), variables=NO_SETTINGS
        )
    return said.stdout.decode(errors="surrogateescape")


def _outcome(planned: Plan) -> Tree:
    return {change.path: change.after for change in planned.changes if change.after}


def _rules(old: Rendering, new: Rendering, *, trusted: bool) -> Rules:
    """Say what is merged how.

    Other answers at one version change what the user has asked to change: also a seeded file, as
    the store that goes from memory to PostgreSQL. Only a newer version leaves those alone.
    """
    version, answers = new
    manifests = read_declaration(version).manifests
    if old[0] == version:
        before = f"{version.name} with the former answers"
        return Rules(lambda _path: False, manifests, before, version.name)
    seeded = matcher(seeded_patterns(version, answers, trusted=trusted))
    return Rules(seeded, manifests, old[0].name, version.name)


def _refuse_stranger(folder: Path, was: Tree, manifests: Iterable[str]) -> None:
    """Refuse answers that some hand has changed: all files would change with them.

    Chart and compose file are half of a service in every language; where its manifest is gone, more
    has to be there.
    """
    there = {path for path in was if os.path.lexists(folder / path)}
    enough = _HALF if set(manifests) & set(was) <= there else _MOST
    if len(there) < enough * len(was):
        raise SvcgenError(
            f"{folder / ANSWERS_FILE} stands for {len(was)} files, of which {len(there)} are here: "
            "the stack, or another answer, was changed by hand.",
            "Restore its answers; for another stack make a new service: svcgen new",
        )
