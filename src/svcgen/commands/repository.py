"""What an update asks of the git repository that a service lies in, and leaves there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git, run


def repository_of(folder: Path) -> Path | None:
    """Return the root of the repository that keeps a folder; None when none does."""
    said = run("rev-parse", "--show-toplevel", within=folder)
    if said.returncode:
        return None
    if run("check-ignore", "--quiet", ".", within=folder).returncode == 0:
        return None  # the repository passes the folder by, so it could bring nothing back
    return Path(said.stdout.decode().strip())


def uncommitted(folder: Path) -> tuple[str, ...]:
    """Name what is not committed in a folder, relative to it; other folders do not count."""
    listed = run("status", "--porcelain", "-z", "--untracked-files=all", "--", ".", within=folder)
    prefix = git("rev-parse", "--show-prefix", within=folder)
    entries = listed.stdout.decode(errors="replace").split("\0")
    return tuple(entry[3:].removeprefix(prefix) for entry in entries if entry[2:3] == " ")


def is_clean(folder: Path) -> bool:
    """Tell whether a repository keeps the folder, with nothing in it that is not committed."""
    return repository_of(folder) is not None and not uncommitted(folder)


def unstage(folder: Path) -> None:
    """Take back what was staged in a folder that had nothing to commit before."""
    git("reset", "--quiet", "--", ".", within=folder)


def refuse_branch(repository: Path, branch: str) -> None:
    """Refuse the name of a branch that cannot be, or that others have.

    Raises SvcgenError, also when the branch is there already and is not the one checked out.
    """
    if run("check-ref-format", "--branch", branch).returncode:
        raise SvcgenError(
            f'"{branch}" is no name for a branch.', "Take one such as update-template."
        )
    known = run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", within=repository)
    if known.returncode == 0 and current_branch(repository) != branch:
        raise SvcgenError(
            f"The branch {branch} is there already in {repository}.",
            f"Take another name, or remove it: git -C {repository} branch -D {branch}",
        )


def refuse_detached(repository: Path) -> None:
    """Refuse to commit where no branch would keep the commit."""
    if not current_branch(repository):
        raise SvcgenError(
            f"{repository} has a detached HEAD: no branch would keep the commit.",
            "Check out a branch, or have one made: svcgen update --branch NAME",
        )


def current_branch(repository: Path) -> str:
    """Return the branch that is checked out; empty when HEAD is detached."""
    said = run("symbolic-ref", "--short", "--quiet", "HEAD", within=repository)
    return said.stdout.decode().strip()


def commit(repository: Path, folders: Sequence[Path], message: str, branch: str = "") -> None:
    """Commit what has changed in these folders, and nothing else, staged or not.

    With a branch: there, made here when there is none. Raises SvcgenError with the last words of a
    hook that refuses; then branch and index are as they were.
    """
    was = current_branch(repository)
    switched = bool(branch) and branch != was
    if switched:
        git("switch", "--quiet", "--create", branch, within=repository)
    places = [str(folder.relative_to(repository)) for folder in folders]
    try:
        _commit(repository, places, message)
    except SvcgenError:
        git("reset", "--quiet", "--", *places, within=repository)
        if switched:
            git("switch", "--quiet", *((was,) if was else ("--detach",)), within=repository)
            git("branch", "--quiet", "--delete", "--force", branch, within=repository)
        raise


def _commit(repository: Path, places: Sequence[str], message: str) -> None:
    if not places:
        return
    git("add", "--all", "--", *places, within=repository)
    if run("diff", "--cached", "--quiet", "--", *places, within=repository).returncode:
        git("commit", "--quiet", f"--message={message}", "--", *places, within=repository)
