"""What an update did to the work of a service's owner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.support.fleet.cases import ANSWERS_FILE, Case
from tests.support.fleet.edits import MANIFESTS
from tests.support.fleet.engines import Outcome, merge_files
from tests.support.fleet.tree import File, Tree, ended, is_text, lines_of, with_lf

LOCKS = ("requirements.txt", "requirements-dev.txt", "go.sum", "package-lock.json")
_MARKER = "<<<<<<< "
_LIST = re.compile(r"[\s-]*[\w./-]+: [{[]|from [\w.]+ import |\.PHONY: ")
_COMMIT = re.compile(r"@[0-9a-f]{40}\b")


def lost(case: Case, outcome: Outcome) -> list[str]:
    """Name each thing that the owner did and that is gone, or undone, without a word.

    An owner's line may stand in its own file, or anywhere when that was reported or has another
    name. In a manifest a higher version stands for it only if both sides raised it.
    """
    return [*_lost_lines(case, outcome), *_undone(case, outcome)]


def _lost_lines(case: Case, outcome: Outcome) -> Iterator[str]:
    everywhere = {line for file in outcome.tree.values() for line in lines_of(file)}
    for path in case.mine:
        if path == ANSWERS_FILE:
            continue
        there = set(lines_of(outcome.tree.get(path)))
        kept = everywhere if path in outcome.conflicts or path not in outcome.tree else there
        if path in MANIFESTS:  # the last entry of a list in JSON has no comma
            kept = kept | {_without_comma(line) for line in kept} | {f"{line}," for line in kept}
        for line in _owners_lines(case, path):
            if not _is_kept(line, kept) and not _both_raised(case, path, line):
                yield f"{path}: {line.strip()}"


def _is_kept(line: str, lines: Collection[str]) -> bool:
    """Return whether a line is among these; a list in one line, with more words at its place."""
    if line in lines or f"{line} \\" in lines:  # a label that is continued now
        return True
    head = _LIST.match(line)
    words = set(_words(line))
    return head is not None and any(
        one.startswith(head[0]) and words <= set(_words(one)) for one in lines
    )


def _words(line: str) -> list[str]:
    return re.findall(r"[^\s,{}\[\]\\]+", line)


def _owners_lines(case: Case, path: str) -> list[str]:
    """Return the lines that the owner wrote, and those once there that both sides have kept."""
    old, mine, new = (Counter(lines_of(tree.get(path))) for tree in (case.old, case.mine, case.new))
    written = [line for line in mine if line.strip() and line not in old]
    kept = [line for line in mine if old[line] == mine[line] == new[line] == 1 and line.strip()]
    return [*written, *kept]


def _both_raised(case: Case, path: str, line: str) -> bool:
    """Return whether both sides raised the version of this line, the template at least as high.

    A lowered, capped or pinned version, and one in another list, is no raise.
    """
    if path not in MANIFESTS and not path.startswith(".github/"):
        return False
    old, new = (
        [one for one in lines_of(tree.get(path)) if _shape(one) == _shape(line)]
        for tree in (case.old, case.new)
    )
    if len(old) != 1 or len(new) != 1 or _caps(old[0]) != _caps(line):
        return False
    return _version(old[0]) < _version(line) <= _version(new[0])


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", _COMMIT.sub("", _without_comma(line)))


def _without_comma(line: str) -> str:
    return line.removesuffix(",")


def _caps(line: str) -> list[str]:
    return re.findall(r"<=?[\d.]+", line)


def _version(line: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", _COMMIT.sub("", line))]


def _undone(case: Case, outcome: Outcome) -> Iterator[str]:
    """Name what the owner had removed, and switched, and is as it was."""
    for path, file in outcome.tree.items():
        if path in outcome.conflicts or path == ANSWERS_FILE or path not in case.old:
            continue
        if path not in case.mine:
            yield f"{path}: back again"
        elif case.mine[path].executable and not file.executable:
            yield f"{path}: not executable any more"
        else:
            there = set(lines_of(file))
            yield from (f"{path}: back: {line}" for line in _removed(case, path) if line in there)


def _removed(case: Case, path: str) -> list[str]:
    old, mine, new = (Counter(lines_of(tree.get(path))) for tree in (case.old, case.mine, case.new))
    return [line for line in old if old[line] == new[line] == 1 and not mine[line] and line.strip()]


def unreported(case: Case, outcome: Outcome, scratch: Path) -> list[str]:
    """Name conflicts that were there to see, and of which the user was told nothing."""
    marked = {path for path in outcome.tree if _has_marker(outcome.tree, path)}
    there = true_conflicts(case, scratch) - set(MANIFESTS)  # svcgen settles more in those than git
    settled = {path for path in there if _has_both(case, path, outcome.tree)}
    return sorted((marked | (there - settled)) - outcome.conflicts)


def _has_both(case: Case, path: str, tree: Tree) -> bool:
    """Return whether a file has each line that either side wrote, or its version that is higher."""
    old, mine, new, there = (
        set(lines_of(one.get(path))) for one in (case.old, case.mine, case.new, tree)
    )
    written = [line for line in (mine | new) - old if line.strip()]
    return all(_is_kept(line, there) or _both_raised(case, path, line) for line in written)


def _has_marker(tree: Tree, path: str) -> bool:
    return any(line.startswith(_MARKER) for line in lines_of(tree[path]))


def true_conflicts(case: Case, scratch: Path, *, seeded: bool = False) -> set[str]:
    """Name the managed files where both sides cannot be had: by `git merge-file`, one by one.

    How lines end, and whether the last one does, is no conflict. `seeded`: those files too.
    """
    return {
        path
        for path, file in with_lf(case.mine).items()
        if (seeded or not case.seeded(path))
        and path != ANSWERS_FILE
        and _conflict(case, path, file, scratch)
    }


def _conflict(case: Case, path: str, mine: File, scratch: Path) -> bool:
    old, new = case.old.get(path), case.new.get(path)
    if new == old or mine in {old, new}:
        return False
    if old is None or new is None or not all(map(is_text, (old, new, mine))):
        return True
    if mine.content in {old.content, new.content} or new.content == old.content:
        return False  # the one changed the text, the other who may run it
    return merge_files(ended(mine), ended(old), ended(new), scratch)


def differing(case: Case, one: Outcome, other: Outcome) -> list[str]:
    """Name the paths that two updates left different, but where svcgen means to differ from Copier.

    It writes a seeded path that is new, takes the template's locks where they fit, and of two
    versions of a dependency the higher.
    """
    meant = {*MANIFESTS, *LOCKS, *(path for path in case.new if path not in case.old)}
    trees = with_lf(one.tree), with_lf(other.tree)
    paths = {*trees[0], *trees[1]} - {path for path in meant if _on_purpose(case, path)}
    return sorted(path for path in paths if trees[0].get(path) != trees[1].get(path))


def _on_purpose(case: Case, path: str) -> bool:
    return path in {*MANIFESTS, *LOCKS} or case.seeded(path)
