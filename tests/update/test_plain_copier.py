"""Plain Copier on this repository: the same files, and updates that leave seeded paths alone."""

from __future__ import annotations

import os
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from svcgen.render.render import render_service, seeded_patterns
from svcgen.templates.sources import open_source
from tests.support.repository import REPOSITORY
from tests.support.run import SOMEBODY, copier
from tests.support.services import Tree, tree

ANSWERS = {
    "name": "orders",
    "stack": "python",
    "database": "postgres",
    "calls": ["catalog"],
    "description": "{{ name }} stays as it is",
}


def run(*words: str | Path, within: Path) -> None:
    environment = {**os.environ, **SOMEBODY}
    done = subprocess.run(words, cwd=within, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def plain_copier(*words: str | Path, within: Path) -> None:
    variables = {**SOMEBODY, "COPIER_CACHE_DIR": str(within.parent / "cache")}
    done = copier(*words, "--quiet", "--defaults", within=within, **variables)
    assert done.returncode == 0, done.stderr


def commit(folder: Path, tag: str) -> None:
    run("git", "add", "-A", within=folder)
    run("git", "commit", "-qm", tag, within=folder)
    run("git", "tag", tag, within=folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository whose only version, v1.0.0, is the template as it stands here."""
    folder = tmp_path / "template"
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z", "copier.yml", "template"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    run("git", "init", "-q", within=folder)
    commit(folder, "v1.0.0")
    return folder


@pytest.fixture
def copied(repository: Path, tmp_path: Path) -> Path:
    """Return a service that plain Copier has made of it."""
    answers = tmp_path / "answers.yml"
    answers.write_text(yaml.safe_dump(ANSWERS))
    source = f"git+file://{repository}"
    plain_copier(
        "copy", "--vcs-ref=HEAD", f"--data-file={answers}", source, "orders", within=tmp_path
    )
    return tmp_path / "orders"


def test_plain_copier_writes_the_same_files(copied: Path, tmp_path: Path) -> None:
    ours = render_service(tmp_path / "ours" / "orders", ANSWERS)
    assert without_source(tree(copied)) == without_source(tree(ours))


def without_source(files: Tree) -> Tree:
    lines = files[".copier-answers.yml"].splitlines()
    kept = [line for line in lines if not line.startswith((b"_commit:", b"_src_path:"))]
    assert len(kept) == len(lines) - 2
    return {**files, ".copier-answers.yml": b"\n".join(kept)}


def test_an_update_merges_every_managed_path_and_no_seeded_one(
    repository: Path, copied: Path
) -> None:
    before = tree(copied)
    run("git", "init", "-q", within=copied)
    commit(copied, "made")
    for path in (repository / "template").rglob("*"):
        if path.is_file() and "answers" not in path.name:
            path.write_bytes(path.read_bytes() + b"# newer\n")
    commit(repository, "v2.0.0")
    plain_copier("update", within=copied)
    changed = {name for name, content in tree(copied).items() if before[name] != content}
    assert set(before) - changed == {name for name in before if is_seeded(name)}


def is_seeded(name: str) -> bool:
    return any(fnmatch(name, path) or name.startswith(f"{path}/") for path in seeded())


def seeded() -> list[str]:
    answers = {**ANSWERS, "stack": "java"}  # the stack whose patterns have a value in them
    found = seeded_patterns(open_source().obtain(), answers)
    return [pattern.lstrip("/") for pattern in found]
