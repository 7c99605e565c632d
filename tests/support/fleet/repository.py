"""Versions of a template as the tags of a git repository, and the programs that read them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import run

_SOMEBODY = {
    **{
        f"GIT_{who}_{what}": "somebody"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    **{f"GIT_{who}_DATE": "2026-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def surroundings(**variables: str) -> dict[str, str]:
    """Return an environment in which git is somebody at a fixed time, with no settings of here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_SOMEBODY, **variables}


def git(folder: Path, *words: str | Path, allowed: tuple[int, ...] = (0,)) -> str:
    """Run git in a folder and return what it said."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env=surroundings(), capture_output=True, check=False
    )
    assert done.returncode in allowed, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="surrogateescape")


def copier(*words: str | Path, within: Path) -> str:
    """Run Copier, with a cache beside the folder; return what it printed when it failed."""
    variables = surroundings(COPIER_CACHE_DIR=str(within.parent / "cache"))
    done = run.copier(*words, "--quiet", "--defaults", within=within, **variables)
    return done.stderr or "failed" if done.returncode else ""


def commit_all(folder: Path, message: str) -> None:
    """Commit a folder as it is, to a repository that is made when there is none."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def write_repository(folder: Path, versions: Mapping[str, Path]) -> Path:
    """Write a repository with a commit and a tag for each version, the first one first."""
    folder.mkdir(parents=True)
    for version, content in versions.items():
        empty(folder)
        shutil.copytree(content, folder, dirs_exist_ok=True, symlinks=True)
        commit_all(folder, version)
        git(folder, "tag", version)
    return folder


def empty(folder: Path) -> None:
    """Remove all that a folder holds, its repository aside."""
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
