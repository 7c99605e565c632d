"""The only module that runs git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from svcgen.errors import SvcgenError

# What a surrounding git (a hook, a rebase's exec) tells its children would point them elsewhere.
_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


def git(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run git and return what it printed, without the last newline.

    Raises SvcgenError with git's own last words when it fails, and when there is no git.
    """
    done = run(*words, within=within, variables=variables)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SvcgenError(f"git {words[0]} failed: {said or f'exit code {done.returncode}'}.")
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


def run(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git, whatever its exit code; it never asks for a password and takes no optional lock.

    Raises SvcgenError when there is no git.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    surroundings = {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *words],
            cwd=within,
            env={**surroundings, **(variables or {})},
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise SvcgenError(
            "There is no program git.", "Install git, for example: apt install git"
        ) from error
