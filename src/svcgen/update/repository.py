"""What an update asks of the git repository that a service lies in, and leaves there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import complaint, git, run
from svcgen.template_check.source_tree import read_template

# What git says where there is no repository; anything else is wrong with one that there is.
_NO_REPOSITORY = ("not a git repository (or any", "must be run in a work tree")


def repository_of(folder: Path) -> Path | None:
    """Return the root of the repository that keeps a folder; None when none does.

    Raises SvcgenError when git finds one and will not read it: it is another user's, or broken.
    """
    said = run("rev-parse", "--show-toplevel", within=folder)
    if said.returncode:
        _refuse_unread(folder, said.stderr.decode(errors="replace").strip())
        return None
    if run("check-ignore", "--quiet", ".", within=folder).returncode == 0:
        return None  # the repository passes the folder by, so it could bring nothing back
    return Path(os.fsdecode(said.stdout).removesuffix("\n"))


def _refuse_unread(folder: Path, said: str) -> None:
    if any(none in said for none in _NO_REPOSITORY):
        return
    problem, _, advice = said.removeprefix("fatal: ").partition("\n")
    raise SvcgenError(
        f"git does not read the repository of {folder}: {problem}", " ".join(advice.split())
    )


def uncommitted(folder: Path) -> tuple[str, ...]:
    """Name what is not committed in a folder, relative to it; other folders do not count.

    Raises SvcgenError when git cannot tell, as with a broken index.
    """
    listed = git("status", "--porcelain", "-z", "--untracked-files=all", "--", ".", within=folder)
    prefix = git("rev-parse", "--show-prefix", within=folder)
    entries = listed.split("\0")
    return tuple(entry[3:].removeprefix(prefix) for entry in entries if entry[2:3] == " ")


def refuse_sparse(repository: Path, folder: Path) -> None:
    """Refuse a folder of which a sparse checkout shows a part only: the rest would seem deleted.

    Raises SvcgenError with the command that brings it.
    """
    listed = git("ls-files", "-t", "-z", "--", ".", within=folder).split("\0")
    paths = [entry[2:] for entry in listed if entry.startswith("S ")]
    left_out = [path for path in paths if not os.path.lexists(folder / path)]
    if left_out:
        raise SvcgenError(
            f"A sparse checkout leaves out files of {folder}: {', '.join(left_out[:3])}.",
            f"Type: git -C {repository} sparse-checkout add {_below(folder, repository)}",
        )


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
    hook that refuses; then, and after Ctrl-C, branch and index are as they were.
    """
    places = [f":(literal){_below(folder, repository)}" for folder in folders]
    with _alone(repository):
        was = current_branch(repository)
        switched = bool(branch) and branch != was
        if switched:
            _switch(repository, branch)
        try:
            _commit(repository, places, message)
        except (SvcgenError, KeyboardInterrupt):
            git("reset", "--quiet", "--", *places, within=repository)
            if switched:
                run("switch", "--quiet", *((was,) if was else ("--detach",)), within=repository)
                git("branch", "--quiet", "--delete", "--force", branch, within=repository)
            raise


def _below(folder: Path, repository: Path) -> str:
    """Return where a folder lies, by git's own names: svcgen.yaml may name it by a link."""
    return folder.resolve().relative_to(repository).as_posix()


@contextmanager
def _alone(repository: Path) -> Iterator[None]:
    """Wait until no other svcgen commits here: it would do so on the branch that this one makes."""
    words = ("--path-format=absolute", "--git-path", "objects")
    with _flocked(git("rev-parse", *words, within=repository), fcntl.LOCK_EX):
        yield


@contextmanager
def committing(repository: Path) -> Iterator[None]:
    """Tell other processes that what is updated here will be committed: nothing has broken off."""
    with _flocked(_git_folder(repository), fcntl.LOCK_SH):
        yield


def is_committing(repository: Path) -> bool:
    """Tell whether another process is to commit what it has updated here."""
    try:
        with _flocked(_git_folder(repository), fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return True


def _git_folder(repository: Path) -> str:
    return git("rev-parse", "--absolute-git-dir", within=repository)


@contextmanager
def _flocked(folder: str, how: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def _switch(repository: Path, branch: str) -> None:
    """Make a branch and check it out; a hook that fails afterwards has not hindered it."""
    done = run("switch", "--quiet", "--create", branch, within=repository)
    if current_branch(repository) != branch:
        raise SvcgenError(f"git switch failed: {complaint(done)}")


def _commit(repository: Path, places: Sequence[str], message: str) -> None:
    if not places:
        return
    git("add", "--all", "--", *places, within=repository)
    if run("diff", "--cached", "--quiet", "--", *places, within=repository).returncode:
        words = ("commit", "--quiet", "--cleanup=whitespace", f"--message={message}")
        git(*words, "--", *places, within=repository)
        # A hook that mends what is committed has told the index of this one commit alone.
        git("reset", "--quiet", "--", *places, within=repository)


def refuse_nobody(folder: Path) -> None:
    """Raise SvcgenError when git does not know who commits here, which it would say at length."""
    if run("var", "GIT_COMMITTER_IDENT", within=folder).returncode:
        raise SvcgenError(
            "git does not know who you are, and a commit has to say.",
            'Type: git config --global user.name "YOUR NAME"; '
            "git config --global user.email YOU@EXAMPLE.COM",
        )


_SHOWN = 5


def open_repository(folder: Path) -> Path:
    """Return the root of the template's repository that a folder is in, all of it committed.

    Raises SvcgenError when it is in none, when the root holds no template, when something is not
    committed, or when git does not know who commits.
    """
    root = repository_of(folder)
    if root is None:
        raise SvcgenError(
            f"{folder} is in no git repository.",
            "Go to your template's, or start one: svcgen template init DIR",
        )
    read_template(root)
    refuse_nobody(root)
    if changed := uncommitted(root):
        more = ", …" if len(changed) > _SHOWN else ""
        raise SvcgenError(
            f"Not everything is committed: {', '.join(changed[:_SHOWN])}{more}.",
            "Commit it, or put it away: git stash -u",
        )
    return root
