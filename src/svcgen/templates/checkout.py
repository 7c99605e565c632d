"""svcgen's template in a checkout of this repository: which version it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git, run
from svcgen.templates.cache import exported, write_files
from svcgen.templates.releases import release_folder, releases
from svcgen.templates.versions import SOURCE, newest

TEMPLATE = ("copier.yml", "template")

_Files = Mapping[str, tuple[bytes, bool]]


def checkout_version(checkout: Path, bundle: Path) -> str:
    """Return the newest release when the files are equal to it, else a name of the commit.

    The name has the form of `git describe`, RELEASE-COMMITS-gHASH; git finds the commit by its hash
    even where the release is not a tag. Raises SvcgenError without git.
    """
    released = releases(bundle)
    last = newest(released)
    folder = release_folder(bundle, released[last]) if last else None
    try:
        return last if folder and is_release(checkout, folder) else _described(checkout, last)
    except SvcgenError as error:
        raise SvcgenError(
            f"The version of the template in {checkout} is unknown: {error.problem}",
            "Install git, and work in a clone of svcgen; or install svcgen's wheel.",
        ) from error


def is_release(checkout: Path, release: Path) -> bool:
    """Report whether a checkout's template is equal to a released one: names, bytes and modes.

    The template of a checkout is its files that are in git, and new ones that are not ignored.
    """
    listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *TEMPLATE)
    current = git(*listing, within=checkout).split("\0")
    released = (str(path.relative_to(release)) for path in release.rglob("*"))
    return _read(checkout, current) == _read(release, released)


def commit_folder(checkout: Path, commit: str) -> Path | None:
    """Return the files of an unreleased commit of a checkout; None when it has no such commit."""
    words = ("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")
    found = run(*words, within=checkout)
    if found.returncode:
        return None
    repository = Path(git("rev-parse", "--absolute-git-dir", within=checkout))
    full = found.stdout.decode().strip()
    return exported(SOURCE, full, lambda staging: write_files(repository, full, staging))


def _described(checkout: Path, last: str) -> str:
    if not last:
        return git("describe", "--tags", "--always", within=checkout)
    made = git("rev-list", "-1", "HEAD", "--", "src/svcgen/releases.bundle", within=checkout)
    since = [f"^{made}"] if made else []
    commits = git("rev-list", "--count", "HEAD", *since, within=checkout)
    return f"{last}-{commits}-g{git('rev-parse', '--short=12', 'HEAD', within=checkout)}"


def _read(folder: Path, names: Iterable[str]) -> _Files:
    files = ((name, folder / name) for name in names if name.split("/")[0] in TEMPLATE)
    return {
        name: (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for name, path in files
        if path.is_file()
    }
