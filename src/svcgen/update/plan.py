"""What an update would do to a service: two renders and their merge; nothing is written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError, counted
from svcgen.git import NO_SETTINGS, git, keeps_modes, run
from svcgen.merge.files import File, Tree, read_tree, write_file
from svcgen.merge.merge import merge, paths_to_read
from svcgen.merge.model import Change, MergeResult, Rules
from svcgen.render.migrations import migrate, migrations_due
from svcgen.render.refusals import (
    render_stored,
    require_immutable_answers,
    require_known_questions,
)
from svcgen.render.render import render_version, seeded_patterns
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Stage, Version
from svcgen.templates.copier_yml import matcher, read_configuration
from svcgen.templates.declaration import read_declaration
from svcgen.templates.sources import open_source
from svcgen.update.journal import STATE, Conflict
from svcgen.update.moves import Moves, Rename, find_moves
from svcgen.update.repository import repository_of
from svcgen.update.stored_answers import migrate_answers, stored_answers

# Shares of the rendered files that a service has to have, with its manifest and without it.
_WITH_MANIFEST, _WITHOUT_MANIFEST = 0.5, 0.75
_PATCH_OPTIONS = ("--no-prefix", "--binary", "--no-renames")


@dataclass(frozen=True)
class UpdatePlan:
    """The update of one service from one version and answers to others."""

    folder: Path
    old: Version
    new: Version
    user_tree: Tree
    merged: MergeResult
    rendered: frozenset[str] = frozenset()  # the paths of both versions
    sides: Mapping[str, tuple[File | None, File | None]] = field(default_factory=dict)
    """What the two versions have at each path that conflicts."""
    ignored: tuple[str, ...] = ()  # stored answers that the newer version does not ask

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would be written or removed, by path."""
        return self.merged.changes

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """The files that the user would have to edit."""
        return tuple(
            Conflict(change.path, change.conflict) for change in self.changes if change.conflict
        )


@dataclass(frozen=True)
class _Renders:
    """What the two versions of an update render from the answers, and how they are merged."""

    old: Version
    new: Version
    answers: Mapping[str, Any]
    old_tree: Tree
    new_tree: Tree
    rules: Rules


def plan_update(  # noqa: PLR0913 (the first three are what, from where and to where)
    folder: Path,
    old: Version,
    new: Version,
    data: Mapping[str, Any] | None = None,
    *,
    trusted: bool = False,
    name: str = "",
    rename: Rename | None = None,
) -> UpdatePlan:
    """Render both versions into a temporary directory and merge them with the user's files.

    `data` are answers that replace stored ones, `name` is what a command calls the service. Due
    migrations run in a copy of the service. With `rename`, files whose paths have the old name
    move. Raises SvcgenError when the stored answers do not
    parse, validate or render, or are not those that the service was made with.
    """
    stored = stored_answers(folder)
    answers = migrate_answers(stored, old, new)
    require_known_questions(data or {}, new)
    if rename is None:
        require_immutable_answers(answers, data or {})
    answers |= data or {}
    command = "reconfigure" if old == new else "update"
    with tempfile.TemporaryDirectory(prefix="svcgen-") as temporary:
        # Templates can use the name of the folder, as `_folder_name`.
        target = rename.new if rename and rename.old == folder.name else folder.name
        before, after = Path(temporary, "old", folder.name), Path(temporary, "new", target)
        old_tree = read_tree(render_version(old, before, stored, trusted=trusted))
        new_tree = read_tree(
            render_stored(new, after, answers, command, trusted=trusted, name=name or folder.name)
        )
    _require_own_answers(folder, old_tree, old)
    rules = _rules(old, new, answers, trusted=trusted)
    renders = _Renders(old, new, answers, old_tree, new_tree, rules)
    if migrations_due(old, new):
        return _plan_with_migrations(folder, renders)
    if old != new:
        user_tree = read_tree(folder, paths_to_read(old_tree, new_tree, rules))
        return _plan(
            folder, renders, user_tree, _merge(folder, old_tree, new_tree, user_tree, rules)
        )
    return _plan_answers(folder, renders, stored, rename)


def _plan_answers(
    folder: Path, renders: _Renders, stored: Mapping[str, Any], rename: Rename | None
) -> UpdatePlan:
    """Merge what other answers change at the same version."""
    rules, moves = renders.rules, Moves()
    if rename:
        moves = find_moves(renders.old_tree, renders.new_tree, rename, own_paths(folder))
    wanted = paths_to_read(renders.old_tree, renders.new_tree, rules)
    found = read_tree(folder, {*wanted, *moves.paths, *moves.paths.values()})
    moves = moves.without(found)
    renders = replace(renders, old_tree=moves.tree(renders.old_tree))
    old_tree, new_tree, user_tree = renders.old_tree, renders.new_tree, moves.tree(found)
    if rename and rename.called:
        kept = moves.kept(old_tree, user_tree)
        old_tree = {path: file for path, file in old_tree.items() if path not in kept}
        new_tree = {path: file for path, file in new_tree.items() if path not in kept}
    merged = _merge(folder, old_tree, new_tree, user_tree, rules)
    conflicts = {change.path for change in merged.changes if change.conflict}
    if unedited := _unedited(user_tree, conflicts, stored, renders.old, moves):
        own_tree = {**user_tree, **{path: old_tree[path] for path in unedited & old_tree.keys()}}
        merged = _merge(folder, old_tree, new_tree, own_tree, rules)
    return _plan(folder, renders, found, moves.complete(merged, found))


def _plan(folder: Path, renders: _Renders, user_tree: Tree, merged: MergeResult) -> UpdatePlan:
    old_tree, new_tree = renders.old_tree, renders.new_tree
    return UpdatePlan(
        folder,
        renders.old,
        renders.new,
        user_tree,
        merged,
        rendered=frozenset({*old_tree, *new_tree}),
        sides={
            change.path: (old_tree.get(change.path), new_tree.get(change.path))
            for change in merged.conflicts
        },
        ignored=tuple(sorted(renders.answers.keys() - read_configuration(renders.new.folder))),
    )


def _plan_with_migrations(folder: Path, renders: _Renders) -> UpdatePlan:
    """Merge after the migrations of the stage `before`, then run those of the stage `after`.

    The first ones also run on what the old version renders: a file that one renames is then the
    same file on both sides. It may lack what they need; then it stays as it is.
    """
    own = read_tree(folder, own_paths(folder))

    def migrated(tree: Tree, stage: Stage) -> Tree:
        with tempfile.TemporaryDirectory(prefix="svcgen-") as temporary:
            copy = Path(temporary, folder.name)
            git("init", "--quiet", copy)  # a migration may use git
            for path, file in tree.items():
                write_file(copy, path, file)
            git("add", "--all", "--force", within=copy)
            migrate(renders.old, renders.new, copy, renders.answers, stage)
            return read_tree(copy)

    user_tree = migrated(own, "before")
    with suppress(SvcgenError):
        renders = replace(renders, old_tree=migrated(renders.old_tree, "before"))
    merged = _merge(folder, renders.old_tree, renders.new_tree, user_tree, renders.rules)
    gone = {change.path for change in merged.changes}
    kept = {path: file for path, file in user_tree.items() if path not in gone}
    after = migrated(
        kept | {change.path: change.after for change in merged.changes if change.after}, "after"
    )
    why = {change.path: change.conflict for change in merged.conflicts}
    changes = tuple(
        Change(path, after.get(path), why.get(path, ""))
        for path in sorted(own.keys() | after.keys(), key=lambda path: (path in after, path))
        if own.get(path) != after.get(path) or path in why
    )
    before = {change.path: own[change.path] for change in changes if change.path in own}
    return _plan(folder, renders, before, replace(merged, changes=changes))


def own_paths(folder: Path) -> list[str]:
    """Return the paths of a service's files, without those that git ignores."""
    if repository_of(folder) is None:
        paths = read_tree(folder).keys()
        return [path for path in paths if not path.startswith(f"{STATE}/")]
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".")
    return [path for path in dict.fromkeys(git(*words, within=folder).split("\0")) if path]


def unified_diff(plan: UpdatePlan, prefix: str = "") -> str:
    """Return the plan as a patch for `git apply` or `patch -p1`; its paths begin with `prefix`.

    Bytes that are not UTF-8 are decoded as by os.fsdecode: print the patch with
    `surrogateescape`, or it does not apply.
    """
    new_tree = {change.path: change.after for change in plan.changes if change.after}
    with tempfile.TemporaryDirectory(prefix="svcgen-") as temporary:
        for side, tree in (("a", plan.user_tree), ("b", new_tree)):
            below = Path(temporary, side, prefix)
            below.mkdir(parents=True)
            for change in plan.changes:
                if change.path in tree:
                    write_file(below, change.path, tree[change.path])
        words = ("diff", "--no-index", *_PATCH_OPTIONS, "a", "b")
        done = run(*words, within=Path(temporary), variables=NO_SETTINGS)
    return done.stdout.decode(errors="surrogateescape")


def _rules(old: Version, new: Version, answers: Mapping[str, Any], *, trusted: bool) -> Rules:
    """Return which paths are merged how.

    New answers at the same version change all files that depend on them, also a seeded one: the
    store that goes from memory to PostgreSQL. Only a newer version leaves seeded files unchanged.
    """
    manifests = read_declaration(new).manifests
    if old == new:
        return Rules(
            lambda _path: False, manifests, f"{new.name} with the former answers", new.name
        )
    seeded = matcher(seeded_patterns(new, answers, trusted=trusted))
    return Rules(seeded, manifests, old.name, new.name)


def _unedited(
    user_tree: Tree,
    paths: Collection[str],
    stored: Mapping[str, Any],
    version: Version,
    moves: Moves,
) -> set[str]:
    """Return those of `paths` that are as an earlier release rendered them, without an edit.

    Updates skip seeded files, so an old service has them from the release that it was made with.
    A release that does not render with the stored answers, or has its own programs, is passed over.
    """
    source = open_source(version.source)
    unedited: set[str] = set()
    for name in reversed([name for name in source.versions() if name != version.name]):
        if unedited >= set(paths):
            break
        with tempfile.TemporaryDirectory(prefix="svcgen-") as temporary, suppress(SvcgenError):
            folder = Path(temporary, str(stored.get("name", "service")))
            made = render_version(source.obtain(name), folder, stored, trusted=False)
            rendered = moves.tree(read_tree(made))
            unedited |= {path for path in paths if user_tree.get(path) == rendered.get(path)}
    return unedited


def _merge(
    folder: Path, old_tree: Tree, new_tree: Tree, user_tree: Tree, rules: Rules
) -> MergeResult:
    """Merge the trees; where git ignores file modes, a mode that differs is not the user's edit."""
    changed_modes = {
        path: replace(user_tree[path], executable=old_tree[path].executable)
        for path in user_tree.keys() & old_tree.keys()
        if user_tree[path].executable != old_tree[path].executable
    }
    if not changed_modes or keeps_modes(folder):
        return merge(old_tree, new_tree, user_tree, rules)
    merged = merge(old_tree, new_tree, {**user_tree, **changed_modes}, rules)
    changes = (
        replace(change, after=replace(change.after, executable=user_tree[change.path].executable))
        if change.after and change.path in changed_modes
        else change
        for change in merged.changes
    )
    return replace(merged, changes=tuple(changes))


def _require_own_answers(folder: Path, old_tree: Tree, old: Version) -> None:
    """Raise SvcgenError for answers that were edited by hand: all files would change with them.

    The chart and compose.yaml are half of a service in every language. Without its manifest, more
    files have to exist.
    """
    existing = {path for path in old_tree if os.path.lexists(folder / path)}
    manifests = set(read_declaration(old).manifests) & set(old_tree)
    share = _WITH_MANIFEST if manifests <= existing else _WITHOUT_MANIFEST
    if len(existing) < share * len(old_tree):
        raise SvcgenError(
            f"{folder / ANSWERS_FILE} describes {counted(len(old_tree), 'file')}, of which "
            f"{len(existing)} exist: the stack, or another answer, was changed by hand.",
            "Restore its answers; for another stack create a service: svcgen new",
        )
