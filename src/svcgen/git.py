"""The only module that runs git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from svcgen.errors import SvcgenError

# What a surrounding git (a hook, a rebase's exec, an editor's) tells its children would point these
# elsewhere (`git rev-parse --local-env-vars`, but for settings), give paths another meaning, or
# change what is printed.
_INHERITED = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "IMPLICIT_WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE", "REPLACE_REF_BASE"),
        *("NO_REPLACE_OBJECTS", "NAMESPACE", "PREFIX", "INTERNAL_SUPER_PREFIX", "CONFIG"),
        *("LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS", "ICASE_PATHSPECS"),
        *("DEFAULT_HASH", "EXTERNAL_DIFF", "DIFF_OPTS"),
    )
)
# A setting of the user's (merge.conflictStyle, diff.context, a filter) would make two machines
# differ, and so would one of a repository that holds the folder for temporary files.
NO_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.attributesFile",
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_DIR": os.devnull,
}
_FAULT = ("fatal:", "error:", "ssh:")
_LAST = 12  # lines of a hook that refuses: what it found is seldom in the last one


def git(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run git and return what it printed, without the last newline.

    Raises SvcgenError with git's own complaint when it fails, and when there is no git.
    """
    done = run(*words, within=within, variables=variables)
    if done.returncode:
        raise SvcgenError(f"git {_verb(words)} failed: {complaint(done)}")
    return os.fsdecode(done.stdout).removesuffix("\n")


def keeps_modes(folder: Path) -> bool:
    """Tell whether the right to run a file means something here; on a Windows disk it does not."""
    said = run("config", "--type=bool", "core.fileMode", within=folder)
    return said.stdout.strip() != b"false"


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return why git failed: the first line that it calls an error, else a hook's last words."""
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    first = next((line for line in said if line.startswith(_FAULT)), "")
    return first or "\n".join(said[-_LAST:]) or f"exit code {done.returncode}."


def _verb(words: Sequence[str | Path]) -> str:
    """Name git's command among its options; `-c` alone has its value in the next word."""
    plain = [str(word) for before, word in pairwise(("", *words)) if before != "-c"]
    return next(word for word in plain if not word.startswith("-"))


def run(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git, whatever its exit code; it never asks for a password and takes no optional lock.

    Raises SvcgenError when there is no git, and when there is no folder to run it in.
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
        if within and not within.is_dir():
            raise SvcgenError(f"There is no folder {within}.") from error
        raise SvcgenError(
            "There is no program git.", "Install git, for example: apt install git"
        ) from error
