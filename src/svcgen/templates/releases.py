"""The released versions of our own template, in one file that svcgen carries (a git bundle)."""

from __future__ import annotations

import os
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.templates.cache import exported, write_files
from svcgen.templates.versions import SOURCE

_CARRIED = Path(__file__).parents[1] / "releases.bundle"
_HEAD = b"# v2 git bundle"
_TAGS = "refs/tags/"


def releases_file() -> Path:
    """Return the bundle: the one that is installed, or the one that `SVCGEN_RELEASES` names."""
    return Path(os.environ.get("SVCGEN_RELEASES") or _CARRIED)


def releases(bundle: Path) -> dict[str, str]:
    """Read which versions a bundle has and their commits; none when there is no bundle yet.

    gitformat-bundle(5): one line says what it is, then a line `COMMIT REF` each up to an empty one.
    Raises SvcgenError when the file is no bundle.
    """
    if not bundle.is_file():
        return {}
    with bundle.open("rb") as file:
        head = file.readline()
        lines = list(iter(file.readline, b"\n")) if head.startswith(_HEAD) else []
    if not lines:
        raise SvcgenError(f"{bundle} is no git bundle.", "Install svcgen again.")
    named = (line.decode().rstrip().partition(f" {_TAGS}") for line in lines)
    return {tag: commit for commit, found, tag in named if found}


def release_folder(bundle: Path, commit: str) -> Path:
    """Return the plain files of one release; git takes them out of the bundle the first time."""

    def write(aside: Path) -> None:
        repository = aside / "repository"
        unbundle(bundle, repository)
        write_files(repository, commit, aside)

    return exported(SOURCE, commit, write)


def unbundle(bundle: Path, repository: Path) -> None:
    """Make a bare repository with the objects of a bundle; nothing is fetched, so none is asked."""
    git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", repository)
    git(f"--git-dir={repository}", "bundle", "unbundle", bundle.absolute())
