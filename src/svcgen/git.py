"""The only module that runs git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from svcgen.errors import SvcgenError

# A surrounding git (of a hook, a rebase's exec, an editor) passes these to its children. They would
# make git use another repository (`git rev-parse --local-env-vars`, without settings), give paths
# another meaning, or change its output.
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
# The user's settings (merge.conflictStyle, diff.context, a filter) would make two machines differ,
# and so would those of a repository that contains the folder for temporary files.
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
_LAST = 12  # lines of a hook that refuses: its reason is seldom in the last one
_CONFLICT_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


def git(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> str:
    """Run git and return its output, without the last newline; it reads `given`.

    Raises SvcgenError with git's own reason when it fails, and when git is not installed.
    """
    done = run(*words, within=within, variables=variables, given=given)
    if done.returncode:
        # The command is the first word that is not an option; `-c` has its value in the next word.
        plain = [str(word) for before, word in pairwise(("", *words)) if before != "-c"]
        command = next(word for word in plain if not word.startswith("-"))
        raise SvcgenError(f"git {command} failed: {complaint(done)}")
    return os.fsdecode(done.stdout).removesuffix("\n")


def keeps_modes(folder: Path) -> bool:
    """Return whether git tracks executable bits in a folder; on a Windows disk it does not."""
    done = run("config", "--type=bool", "core.fileMode", within=folder)
    return done.stdout.strip() != b"false"


def safe_directories() -> tuple[str, ...]:
    """Return the entries of the setting `safe.directory`: of the user and the machine only.

    None is read from a repository: it could trust itself (git-config(1), safe.directory).
    """
    words = ("config", "--null", "--get-all", "safe.directory")
    try:
        done = run(*words, within=Path("/"), variables={"GIT_DIR": os.devnull})
    except SvcgenError:
        return ()  # git is not installed
    return tuple(os.fsdecode(entry) for entry in done.stdout.split(b"\0")[:-1])


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return why git failed: the first line that it calls an error, else a hook's last lines."""
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith(_FAULT)), "")
    return first or "\n".join(lines[-_LAST:]) or f"exit code {done.returncode}."


def first_conflict_marker(content: bytes) -> int:
    """Return the number of the first line that is a conflict marker of a merge, 0 without one."""
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith(_CONFLICT_MARKERS):
            return number
    return 0


def marked_files(folders: Iterable[Path]) -> list[Path]:
    """Return the tracked files in these folders that have the markers of an update's conflict.

    Folders outside of git have none. One process searches all folders of a repository.
    """
    repositories: dict[Path, list[Path]] = {}
    for folder in folders:
        above = (parent for parent in (folder, *folder.parents) if (parent / ".git").exists())
        if repository := next(above, None):
            repositories.setdefault(repository, []).append(folder)
    found: list[Path] = []
    for repository, within in repositories.items():
        paths = [f":(literal){folder.relative_to(repository)}" for folder in within]
        words = ("grep", "--files-with-matches", "-z", "-e", "^<<<<<<< yours", "--", *paths)
        listed = os.fsdecode(run(*words, within=repository).stdout)
        found += [repository / path for path in listed.split("\0") if path]
    return sorted(found)


def run(
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run git, with any exit code; it never asks for a password and takes no optional lock.

    Raises SvcgenError when git is not installed, and when the folder does not exist.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    environment = {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *words],
            cwd=within,
            env={**environment, **(variables or {})},
            capture_output=True,
            check=False,
            input=given,
        )
    except FileNotFoundError as error:
        if within and not within.is_dir():
            raise SvcgenError(f"The folder {within} does not exist.") from error
        raise SvcgenError(
            "git is not installed.", "Install it, for example: apt install git"
        ) from error
