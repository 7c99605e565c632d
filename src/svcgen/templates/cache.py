"""Template versions as plain files in a cache, so that each is taken out of git once a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import staged
from svcgen.git import git

_ADVICE = "Name another folder: SVCGEN_CACHE_DIR=FOLDER"


def cache_folder() -> Path:
    """Return `$SVCGEN_CACHE_DIR`, else `svcgen` in the user's cache (XDG base directories)."""
    own = os.environ.get("SVCGEN_CACHE_DIR")
    if own:
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "svcgen"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:  # a container's user without a name, and HOME is not set
        raise SvcgenError("There is no home folder to keep a cache in.", _ADVICE) from error


def folder_of(source: str) -> Path:
    """Return the place of one source in the cache."""
    return cache_folder() / "templates" / sha256(source.encode()).hexdigest()[:24]


def made_folder_of(source: str) -> Path:
    """Return the place of one source in the cache, made if need be.

    Raises SvcgenError when the cache cannot be written.
    """
    folder = folder_of(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise closed(error) from error
    return folder


def exported(source: str, commit: str, write: Callable[[Path], None]) -> Path:
    """Return the folder with the files of one commit; `write` puts them into a new `files/`.

    They are written aside and renamed, so that any number of processes may do it at once and a
    killed one leaves nothing that is ever used. Raises SvcgenError when nothing can be written or
    the commit holds no template.
    """
    final = made_folder_of(source) / commit
    if has_template(final):
        return final
    try:
        with staged(final.parent, _ADVICE) as place:
            files = place / "files"
            files.mkdir()
            write(place)
            refuse_no_template(files, source)
            _rename(files, final)
    except OSError as error:
        raise closed(error) from error
    return final


def write_files(repository: Path, commit: str, place: Path) -> None:
    """Write a commit's files into `place/files`, byte for byte, whatever the user's settings.

    No ends of lines are converted and no filter runs but those that the commit itself names.
    """
    git(
        "-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.hooksPath=/dev/null",
        "-c", "core.attributesFile=/dev/null",
        f"--git-dir={repository}", f"--work-tree={place / 'files'}",
        "checkout", "--force", "--quiet", commit, "--", ".",
        within=place / "files",
        variables={"GIT_INDEX_FILE": str(place / "index"), "GIT_ATTR_NOSYSTEM": "1"},
    )  # fmt: skip


def has_template(folder: Path) -> bool:
    """Tell whether a folder holds a template."""
    return (folder / "copier.yml").is_file() or (folder / "copier.yaml").is_file()


def refuse_no_template(folder: Path, source: str) -> None:
    """Raise SvcgenError when a folder holds no template, or one that needs more than its files."""
    if not has_template(folder):
        raise SvcgenError(
            f"{source} is no template: it has no copier.yml.", "Name a template of Copier's."
        )
    if (folder / ".gitmodules").is_file():
        raise SvcgenError(
            f"{source} has git submodules, which svcgen does not follow.",
            "Let the template carry these files itself.",
        )


def _rename(files: Path, final: Path) -> None:
    """Put the files into place, unless another process was quicker: it wrote the same."""
    if final.exists() and not has_template(final):  # something has emptied the cache in part
        shutil.rmtree(final)
    try:
        files.rename(final)
    except OSError:
        if not has_template(final):
            raise


def closed(error: OSError) -> SvcgenError:
    """Say that the cache cannot be written, and how to have another."""
    return SvcgenError(
        f"The cache in {cache_folder()} cannot be written: {error.strerror}.", _ADVICE
    )
