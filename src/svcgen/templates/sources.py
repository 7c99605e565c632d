"""Where templates come from: ours, which svcgen carries, or a company's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.templates.base import Source, Version, expanded
from svcgen.templates.checkout import checkout_version, commit_folder
from svcgen.templates.releases import release_folder, releases, releases_file
from svcgen.templates.versions import (
    FORMER,
    SOURCE,
    commit_of,
    compare,
    newest,
    ordered,
    unknown,
)

_PACKAGED = Path(__file__).parents[1] / "_template"
_CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class OwnTemplate:
    """Ours: the current version as plain files, the released ones in a bundle; no network."""

    source: str = SOURCE

    def versions(self) -> tuple[str, ...]:
        """Name the released versions, the oldest first."""
        return ordered(releases(releases_file()))

    def obtain(self, ref: str = "") -> Version:
        """Return the current version, a released one, or a commit of the checkout it runs from."""
        released = None if ref in {"", _packaged_version()} else _released(ref)
        if released:
            return Version(self.source, ref, released)
        current = template_version()
        if ref in {"", current}:
            return Version(self.source, current, template_folder())
        folder = _committed(ref)
        if folder is None:
            raise self._missing(ref, current)
        return Version(self.source, ref, folder)

    def _missing(self, ref: str, current: str) -> SvcgenError:
        try:
            newer = compare(ref, newest([*self.versions(), current]) or current) > 0
        except SvcgenError:
            newer = False
        if newer:
            return SvcgenError(
                f"Template version {ref} is of a newer svcgen than this one, which has {current}.",
                "Upgrade it: pip install --upgrade svcgen",
            )
        return unknown(ref, "svcgen's template", self.versions())


@dataclass(frozen=True)
class PlainFolder:
    """A template in a folder without git: it has no versions, so nothing it made is updated."""

    source: str

    def versions(self) -> tuple[str, ...]:
        """Name none."""
        return ()

    def obtain(self, ref: str = "") -> Version:
        """Return what the folder holds now; SvcgenError when a version is asked for."""
        if ref:
            raise SvcgenError(
                f"{self.source} is a folder without git: it has no version {ref}.",
                "Leave --ref out, or keep the template in git.",
            )
        return Version(self.source, "", Path(self.source))


@cache
def open_source(source: str = "") -> Source:
    """Open a template: "" or our address is ours, else a git URL, a repository or a folder.

    A company's is fetched here, once in the life of the process. Raises SvcgenError when there is
    nothing to open.
    """
    if not source or _is_ours(source):
        return OwnTemplate()
    from svcgen.templates.git_source import open_mirror

    folder = expanded(source)
    if "://" not in source and folder.is_dir() and not is_repository(folder):
        return PlainFolder(str(folder.absolute()))
    return open_mirror(source)


def is_repository(folder: Path) -> bool:
    """Tell whether git can clone a folder: it is the root of a checkout, or a bare repository."""
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return bare or (folder / ".git").exists()


def template_folder() -> Path:
    """Return the folder with our `copier.yml` and `template/`: packaged, or this very checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def template_version() -> str:
    """Return the version of our template as services record it.

    A wheel carries it as a file (hatch_build.py). Raises SvcgenError in a checkout without git,
    where no version could be recorded that an update would find again.
    """
    return _packaged_version() or _version_of(_CHECKOUT, releases_file())


def _packaged_version() -> str:
    file = _PACKAGED / "VERSION"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


@cache
def _version_of(checkout: Path, bundle: Path) -> str:
    return checkout_version(checkout, bundle)


def _released(ref: str) -> Path | None:
    bundle = releases_file()
    commit = releases(bundle).get(ref)
    return release_folder(bundle, commit) if commit else None


def _committed(ref: str) -> Path | None:
    commit = commit_of(ref)
    in_checkout = not _PACKAGED.is_dir() and is_repository(_CHECKOUT)
    return commit_folder(_CHECKOUT, commit) if commit and in_checkout else None


def _is_ours(source: str) -> bool:
    return _address(source) in {_address(one) for one in (SOURCE, *FORMER)}


def _address(source: str) -> str:
    """Write the ways to name one repository as one: Copier's `gh:`, ssh, with and without .git."""
    plain = source.removeprefix("git+").rstrip("/").removesuffix(".git")
    for start in ("gh:", "git@github.com:", "ssh://git@github.com/"):
        plain = plain.replace(start, "https://github.com/", 1) if plain.startswith(start) else plain
    return plain
