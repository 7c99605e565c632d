"""Three ways to bring a service to a newer template: git's own merge, Copier, and svcgen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.merge import files as render
from svcgen.merge.merge import merge
from svcgen.merge.model import Rules
from tests.support.fleet import tree as trees
from tests.support.fleet.cases import Case
from tests.support.fleet.repository import commit_all, copier, empty, git, surroundings
from tests.support.fleet.tree import File, Tree

_NEEDED = 3  # svcgen's exit code when the user is needed
_STATE = ".svcgen-"  # where an update with open conflicts keeps how it is undone


@dataclass(frozen=True)
class Outcome:
    """What became of a service, and which of its files the user is told to look at."""

    tree: Tree
    conflicts: frozenset[str]
    refused: str = ""


def merge_files(one: File, base: File, other: File, scratch: Path) -> bool:
    """Tell whether `git merge-file` finds a conflict between what two made of one text."""
    texts = {"one": one, "base": base, "other": other}
    for name, file in texts.items():
        (scratch / name).write_bytes(file.content)
    done = subprocess.run(
        ["git", "merge-file", "-p", *texts], cwd=scratch, capture_output=True, check=False
    )
    return done.returncode != 0


def merge_with_git(case: Case, folder: Path) -> Outcome:
    """Commit the old render, the new one on a branch, the owner's on another; merge them."""
    folder.mkdir(parents=True)
    for branch, tree in (("old", case.old), ("new", case.new), ("mine", trees.with_lf(case.mine))):
        if branch != "old":
            git(folder, "checkout", "--quiet", "-b", branch, "main")
        empty(folder)
        trees.write(folder, tree)
        commit_all(folder, branch)
    git(folder, "merge", "--quiet", "new", allowed=(0, 1))
    return Outcome(trees.read(folder), _unmerged(folder))


def _unmerged(folder: Path) -> frozenset[str]:
    said = git(folder, "ls-files", "--unmerged", "-z", ".")
    return frozenset(line.partition("\t")[2] for line in said.split("\0") if line)


def check_out(case: Case, folder: Path) -> Path:
    """Write the owner's checkout of a service, in a repository of its own."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    if case.mine != trees.with_lf(case.mine):
        git(folder, "config", "core.autocrlf", "true")
    trees.write(folder, case.mine)
    commit_all(folder, "mine")
    return folder


def update_with_copier(case: Case, folder: Path) -> Outcome:
    """Run `copier update` in the owner's checkout."""
    check_out(case, folder)
    answers = [f"--data={question}={answer}" for question, answer in case.renamed.items()]
    refused = copier("update", *answers, within=folder)
    return Outcome(trees.read(folder), _unmerged(folder), refused)


def update_with_svcgen(cases: Sequence[Case], root: Path) -> list[Outcome]:
    """Run `svcgen update --all` in a workspace with the owners' checkouts, in one repository."""
    for case in cases:
        trees.write(root / case.name, case.mine)
    commit_all(root, "mine")
    command = [sys.executable, "-m", "svcgen", "update", "--all", "--json"]
    done = subprocess.run(command, cwd=root, env=surroundings(), capture_output=True, check=False)
    assert done.returncode in {0, _NEEDED}, done.stderr.decode() + done.stdout.decode()[-2000:]
    said = {one["service"]: one for one in json.loads(done.stdout)["services"]}
    assert (done.returncode == _NEEDED) == any(one["conflicts"] for one in said.values())
    return [_outcome(said[case.name], root / case.name) for case in cases]


def _outcome(said: Mapping[str, Any], folder: Path) -> Outcome:
    conflicts = frozenset(conflict["path"] for conflict in said["conflicts"])
    tree = {path: file for path, file in trees.read(folder).items() if not path.startswith(_STATE)}
    return Outcome(tree, conflicts, said["problem"])


def merge_with_svcgen(case: Case, manifests: Mapping[str, tuple[str, ...]]) -> Outcome:
    """Merge as `svcgen update` does, without a folder: for templates that are not ours too."""
    rules = Rules(case.seeded, manifests, old=case.version, new=case.newest)
    old, new, mine = (_as_svcgen_has_it(tree) for tree in (case.old, case.new, case.mine))
    merged = merge(old, new, mine, rules)
    tree = dict(case.mine)
    for change in merged.changes:
        tree.pop(change.path, None)
        if change.after is not None:
            after = change.after
            tree[change.path] = File(after.content, after.executable, after.link)
    return Outcome(tree, frozenset(change.path for change in merged.conflicts))


def _as_svcgen_has_it(tree: Tree) -> dict[str, render.File]:
    return {
        path: render.File(file.content, file.executable, file.link) for path, file in tree.items()
    }
