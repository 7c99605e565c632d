"""Template versions as plain files in a cache: git exports each one once a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import move_into_place, staged
from svcgen.git import git

_ADVICE = "Name another folder: SVCGEN_CACHE_DIR=FOLDER"


def cache_folder() -> Path:
    """Return `$SVCGEN_CACHE_DIR`, else `svcgen` in the user's cache (XDG base directories).

    Raises SvcgenError when the user has no home folder.
    """
    own = os.environ.get("SVCGEN_CACHE_DIR")
    if own:
        return Path(own).absolute()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "svcgen"
    except RuntimeError as error:  # a container's user without a name, and HOME is not set
        raise SvcgenError("There is no home folder to keep a cache in.", _ADVICE) from error


def folder_of(source: str) -> Path:
    """Return the folder of one source in the cache; it may not exist."""
    return cache_folder() / "templates" / sha256(source.encode()).hexdigest()[:24]


def make_folder_of(source: str) -> Path:
    """Return the folder of one source in the cache, made when it does not exist.

    Raises SvcgenError when the cache cannot be written.
    """
    folder = folder_of(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cache_error(error) from error
    return folder


def exported(source: str, commit: str, write: Callable[[Path], None]) -> Path:
    """Return the folder with the files of one commit; `write` puts them into STAGING/files.

    Any number of processes may export one commit at once, and a killed one leaves nothing that is
    used. Raises SvcgenError when the cache cannot be written or the commit has no template.
    """
    final = make_folder_of(source) / commit
    if has_template(final):
        return final
    try:
        with staged(final.parent, _ADVICE) as staging:
            files = staging / "files"
            files.mkdir()
            write(staging)
            _refuse_no_template(files, source)
            if final.exists() and not has_template(final):  # the cache was emptied in part
                shutil.rmtree(final)
            try:
                move_into_place(files, final)
            except OSError:  # another process was faster: it wrote the same files
                if not has_template(final):
                    raise
    except OSError as error:
        raise cache_error(error) from error
    return final


def write_files(repository: Path, commit: str, staging: Path) -> None:
    """Write a commit's files into STAGING/files, byte for byte, whatever the user's settings.

    Git converts no line endings and runs no filters but those that the commit itself names.
    """
    if not git(f"--git-dir={repository}", "ls-tree", "--name-only", commit):
        return  # git refuses to check out the files of a commit without files
    git(
        "-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.hooksPath=/dev/null",
        "-c", "core.attributesFile=/dev/null",
        f"--git-dir={repository}", f"--work-tree={staging / 'files'}",
        "checkout", "--force", "--quiet", commit, "--", ".",
        within=staging / "files",
        variables={"GIT_INDEX_FILE": str(staging / "index"), "GIT_ATTR_NOSYSTEM": "1"},
    )  # fmt: skip


def has_template(folder: Path) -> bool:
    """Report whether a folder holds a template."""
    return (folder / "copier.yml").is_file() or (folder / "copier.yaml").is_file()


def _refuse_no_template(folder: Path, source: str) -> None:
    """Raise SvcgenError for a folder without a template, or with one that needs submodules."""
    if not has_template(folder):
        raise SvcgenError(
            f"{source} is not a template: it has no copier.yml.", "Name a Copier template."
        )
    if (folder / ".gitmodules").is_file():
        raise SvcgenError(
            f"{source} has git submodules, which svcgen does not follow.",
            "Copy these files into the template.",
        )


def cache_error(error: OSError) -> SvcgenError:
    """Return the error that the cache cannot be written, with the way to another one."""
    return SvcgenError(
        f"The cache in {cache_folder()} cannot be written: {error.strerror}.", _ADVICE
    )
