"""The released versions of svcgen's template, in a git bundle that is part of the package."""

from __future__ import annotations

import os
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.templates.cache import exported, write_files
from svcgen.templates.versions import SOURCE

_PACKAGED = Path(__file__).parents[1] / "releases.bundle"
_HEAD = b"# v2 git bundle"
_TAGS = "refs/tags/"


def releases_file() -> Path:
    """Return the bundle: the one that is installed, or the one that `SVCGEN_RELEASES` names."""
    return Path(os.environ.get("SVCGEN_RELEASES") or _PACKAGED)


def releases(bundle: Path) -> dict[str, str]:
    """Return the versions of a bundle and their commits; none when the bundle does not exist.

    gitformat-bundle(5): a signature, then lines `COMMIT REF` up to an empty one. Raises SvcgenError
    when the file is not a bundle.
    """
    if not bundle.is_file():
        return {}
    with bundle.open("rb") as file:
        head = file.readline()
        lines = list(iter(file.readline, b"\n")) if head.startswith(_HEAD) else []
    if not lines:
        raise SvcgenError(f"{bundle} is not a git bundle.", "Install svcgen again.")
    pairs = (line.decode().rstrip().partition(f" {_TAGS}") for line in lines)
    return {tag: commit for commit, found, tag in pairs if found}


def release_folder(bundle: Path, commit: str) -> Path:
    """Return the folder with the files of one release; git exports them the first time."""

    def write(staging: Path) -> None:
        repository = staging / "repository"
        unbundle(bundle, repository)
        write_files(repository, commit, staging)

    return exported(SOURCE, commit, write)


def unbundle(bundle: Path, repository: Path) -> None:
    """Make a bare repository with the objects of a bundle; nothing is fetched."""
    git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", repository)
    git(f"--git-dir={repository}", "bundle", "unbundle", bundle.absolute())
