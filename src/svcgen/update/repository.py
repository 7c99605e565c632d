"""The git repository that holds a service: what an update checks there, and its commit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import locked
from svcgen.git import complaint, git, marked_files, run
from svcgen.merge.files import File
from svcgen.template_check.source_tree import read_template

# What git prints where there is no repository; any other error is about a repository it found.
_NO_REPOSITORY = ("not a git repository (or any", "must be run in a work tree")
_SHOWN, _FEW = 5, 3  # of the paths that are not committed, in a template and in a service


def repository_of(folder: Path) -> Path | None:
    """Return the root of the repository that tracks a folder; None when no repository does.

    Raises SvcgenError when git finds one and refuses to read it: it is another user's, or broken.
    """
    done = run("rev-parse", "--show-toplevel", within=folder)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        if any(message in reason for message in _NO_REPOSITORY):
            return None
        problem, _, advice = reason.removeprefix("fatal: ").partition("\n")
        raise SvcgenError(
            f"git does not read the repository of {folder}: {problem}", " ".join(advice.split())
        )
    if run("check-ignore", "--quiet", ".", within=folder).returncode == 0:
        return None  # the repository ignores the folder, so it could not restore anything
    return Path(os.fsdecode(done.stdout).removesuffix("\n"))


def uncommitted(folder: Path) -> tuple[str, ...]:
    """Return the paths in a folder, relative to it, that are not committed.

    Raises SvcgenError when git cannot find out, as with a broken index.
    """
    listed = git("status", "--porcelain", "-z", "--untracked-files=all", "--", ".", within=folder)
    prefix = git("rev-parse", "--show-prefix", within=folder)
    entries = listed.split("\0")
    return tuple(entry[3:].removeprefix(prefix) for entry in entries if entry[2:3] == " ")


def require_committed(name: str, folder: Path) -> None:
    """Raise SvcgenError for changes in a service that git could not restore."""
    if changed := uncommitted(folder):
        more = f" and {len(changed) - _FEW} more" if len(changed) > _FEW else ""
        raise SvcgenError(
            f"{name} has changes that are not committed: {', '.join(changed[:_FEW])}{more}.",
            f"Commit or stash them first: git -C {folder} status",
        )


def unstage(folder: Path) -> None:
    """Unstage everything in a folder, which had nothing to commit before."""
    git("reset", "--quiet", "--", ".", within=folder)


def unmerged_entries(
    folder: Path, sides: Mapping[str, tuple[File | None, File | None, File | None]]
) -> tuple[str, ...]:
    """Return conflicts as `git update-index --index-info` reads them; () outside of git.

    `sides` has for each path the common ancestor, the user's file and the template's: the stages
    1, 2 and 3 of the index (git-merge(1)). Their contents are written to the repository, as
    .gitattributes converts them. A path that is not tracked is left out.
    """
    repository = repository_of(folder)
    if repository is None:
        return ()
    prefix = git("rev-parse", "--show-prefix", within=folder)
    lines = []
    for path, files in sides.items():
        tracked = git("ls-files", "-z", "--", f":(literal){path}", within=folder)
        if not tracked:
            continue
        lines.append(f"0 {'0' * 40}\t{prefix}{path}\0")
        for stage, file in enumerate(files, 1):
            if file:
                mode = "120000" if file.link else "100755" if file.executable else "100644"
                made = _write_object(folder, prefix + path, file)
                lines.append(f"{mode} {made} {stage}\t{prefix}{path}\0")
    return tuple(lines)


def mark_unmerged(repository: Path, entries: Iterable[str]) -> None:
    """Put conflicts into the index, so that git and editors know them as unmerged paths."""
    text = "".join(entries)
    if text:
        words = ("update-index", "-z", "--index-info")
        git(*words, within=repository, given=text.encode(errors="surrogateescape"))


def clear_unmerged(folder: Path) -> None:
    """Take what is still unmerged in a folder out of the index's conflicts, as it is in HEAD."""
    if repository_of(folder) is None:
        return
    listed = git("diff", "--name-only", "--diff-filter=U", "--relative", "-z", within=folder)
    if paths := [f":(literal){path}" for path in listed.split("\0") if path]:
        git("reset", "--quiet", "--", *paths, within=folder)


def _write_object(folder: Path, path: str, file: File) -> str:
    words = ("hash-object", "-w", "--stdin")
    how = ("--no-filters",) if file.link else (f"--path={path}",)
    return git(*words, *how, within=folder, given=file.content)


def current_branch(repository: Path) -> str:
    """Return the branch that is checked out; empty when HEAD is detached."""
    done = run("symbolic-ref", "--short", "--quiet", "HEAD", within=repository)
    return done.stdout.decode().strip()


def require_full_checkout(repository: Path, folder: Path) -> None:
    """Raise SvcgenError when a sparse checkout leaves out files: they would seem deleted."""
    listed = git("ls-files", "-t", "-z", "--", ".", within=folder).split("\0")
    paths = [entry[2:] for entry in listed if entry.startswith("S ")]
    left_out = [path for path in paths if not os.path.lexists(folder / path)]
    if left_out:
        raise SvcgenError(
            f"A sparse checkout leaves out files of {folder}: {', '.join(left_out[:3])}.",
            f"Type: git -C {repository} sparse-checkout add {_path_below(folder, repository)}",
        )


def require_usable_branch(repository: Path, branch: str) -> None:
    """Raise SvcgenError for a name that cannot be a branch, or that is another branch's."""
    if run("check-ref-format", "--branch", branch).returncode:
        raise SvcgenError(
            f'"{branch}" is not a name for a branch.', "Use a name such as update-template."
        )
    existing = run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", within=repository)
    if existing.returncode == 0 and current_branch(repository) != branch:
        raise SvcgenError(
            f"The branch {branch} already exists in {repository}.",
            f"Use another name, or remove it: git -C {repository} branch -D {branch}",
        )


def require_attached_head(repository: Path) -> None:
    """Raise SvcgenError when HEAD is detached: the commit would be on no branch."""
    if not current_branch(repository):
        raise SvcgenError(
            f"{repository} has a detached HEAD: the commit would be on no branch.",
            "Check out a branch, or create one: svcgen update --branch NAME",
        )


def require_no_markers(folder: Path) -> None:
    """Raise SvcgenError for a tracked file with the markers of an update: one side would be lost.

    They were committed before the conflict was resolved.
    """
    if marked := marked_files([folder]):
        paths = ", ".join(str(path.relative_to(folder)) for path in marked)
        raise SvcgenError(
            f"{paths} has conflict markers of an earlier update.",
            "Edit it, remove the markers, and commit it.",
        )


def require_git_identity(folder: Path) -> None:
    """Raise SvcgenError when git does not know the committer's name and e-mail address."""
    if run("var", "GIT_COMMITTER_IDENT", within=folder).returncode:
        raise SvcgenError(
            "git has no user.name and user.email.",
            'Type: git config --global user.name "YOUR NAME"; '
            "git config --global user.email YOU@EXAMPLE.COM",
        )


def require_committed_template(folder: Path) -> Path:
    """Return the root of the template's repository that contains a folder, all of it committed.

    Raises SvcgenError when there is no repository, or no template at its root. Also when something
    is not committed, or git does not know the committer.
    """
    root = repository_of(folder)
    if root is None:
        raise SvcgenError(
            f"{folder} is in no git repository.",
            "Go to your template's repository, or create one: svcgen template init DIR",
        )
    read_template(root)
    require_git_identity(root)
    if changed := uncommitted(root):
        more = ", …" if len(changed) > _SHOWN else ""
        raise SvcgenError(
            f"Not everything is committed: {', '.join(changed[:_SHOWN])}{more}.",
            "Commit it, or stash it: git stash -u",
        )
    return root


def commit(repository: Path, folders: Sequence[Path], message: str, branch: str = "") -> None:
    """Commit what has changed in these folders, and nothing else, staged or not.

    Commit on `branch` if one is given; create it when it does not exist. Raises SvcgenError with
    the last output of a hook that refuses. Then, and after Ctrl-C, branch and index are as before.
    """
    paths = [f":(literal){_path_below(folder, repository)}" for folder in folders]
    words = ("--path-format=absolute", "--git-path", "objects")
    objects = Path(git("rev-parse", *words, within=repository))
    with locked(objects):  # another svcgen would commit on the branch that this one creates
        before = current_branch(repository)
        switched = bool(branch) and branch != before
        if switched:
            done = run("switch", "--quiet", "--create", branch, within=repository)
            # A post-checkout hook can fail although git has switched.
            if current_branch(repository) != branch:
                raise SvcgenError(f"git switch failed: {complaint(done)}")
        try:
            _commit_paths(repository, paths, message)
        except (SvcgenError, KeyboardInterrupt):
            git("reset", "--quiet", "--", *paths, within=repository)
            if switched:
                back = (before,) if before else ("--detach",)
                run("switch", "--quiet", *back, within=repository)
                git("branch", "--quiet", "--delete", "--force", branch, within=repository)
            raise


@contextmanager
def committing(repository: Path) -> Iterator[None]:
    """Show other processes that an update here will be committed: it was not killed."""
    with locked(_git_folder(repository), shared=True):
        yield


def is_committing(repository: Path) -> bool:
    """Return whether another process will commit an update here."""
    try:
        with locked(_git_folder(repository), wait=False):
            return False
    except BlockingIOError:
        return True


def _git_folder(repository: Path) -> Path:
    return Path(git("rev-parse", "--absolute-git-dir", within=repository))


def _commit_paths(repository: Path, paths: Sequence[str], message: str) -> None:
    if not paths:
        return
    git("add", "--all", "--", *paths, within=repository)
    if run("diff", "--cached", "--quiet", "--", *paths, within=repository).returncode:
        words = ("commit", "--quiet", "--cleanup=whitespace", f"--message={message}")
        git(*words, "--", *paths, within=repository)
        # A hook that fixes what is committed has changed the index of this one commit alone.
        git("reset", "--quiet", "--", *paths, within=repository)


def _path_below(folder: Path, repository: Path) -> str:
    """Return a folder's path as git knows it: svcgen.yaml may name it by a link."""
    return folder.resolve().relative_to(repository).as_posix()
