"""Where templates come from: svcgen's own, a git repository, or a plain folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.templates.base import Source, Version, expanded
from svcgen.templates.checkout import checkout_version, commit_folder
from svcgen.templates.copier_yml import read_configuration
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
    """svcgen's template: the current version as plain files, the released ones in a bundle."""

    source: str = SOURCE

    def versions(self) -> tuple[str, ...]:
        """Return the released versions, the oldest first."""
        return ordered(releases(releases_file()))

    def obtain(self, ref: str = "") -> Version:
        """Return the current version, a released one, or a commit of the running checkout."""
        bundle = releases_file()
        released = None if ref in {"", _packaged_version()} else releases(bundle).get(ref)
        if released:
            return Version(self.source, ref, release_folder(bundle, released))
        current = template_version()
        if ref in {"", current}:
            return Version(self.source, current, template_folder())
        commit = commit_of(ref)
        in_checkout = not _PACKAGED.is_dir() and is_repository(_CHECKOUT)
        folder = commit_folder(_CHECKOUT, commit) if commit and in_checkout else None
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
                f"Template version {ref} needs a newer svcgen; this one has {current}.",
                "Upgrade it: pip install --upgrade svcgen",
            )
        return unknown(ref, "svcgen's template", self.versions())


@dataclass(frozen=True)
class PlainFolder:
    """A template in a folder without git: it has no versions, so its services get no updates."""

    source: str

    def versions(self) -> tuple[str, ...]:
        """Return no versions."""
        return ()

    def obtain(self, ref: str = "") -> Version:
        """Return the folder as it is; raise SvcgenError when a version is named."""
        if ref:
            raise SvcgenError(
                f"{self.source} is a folder without git: it has no version {ref}.",
                "Remove --ref, or keep the template in git.",
            )
        return Version(self.source, "", Path(self.source))


@cache
def open_source(source: str = "") -> Source:
    """Open a template: svcgen's own for "" or its address, else a git URL, repository or folder.

    A git URL is fetched once a process. Raises SvcgenError when the source does not exist.
    """
    if not source or _address(source) in {_address(own) for own in (SOURCE, *FORMER)}:
        return OwnTemplate()
    from svcgen.templates.git_source import open_mirror

    folder = expanded(source)
    if "://" not in source and folder.is_dir() and not is_repository(folder):
        return PlainFolder(str(folder.absolute()))
    return open_mirror(source)


def list_versions(source: str = "") -> tuple[str, ...]:
    """Return the released versions of a template, the oldest first.

    Raises SvcgenError for a source that is not a template: that it has no versions would hide it.
    """
    template = open_source(source)
    versions = template.versions()
    if not versions:
        read_configuration(template.obtain().folder)
    return versions


def is_repository(folder: Path) -> bool:
    """Report whether git can clone a folder: the root of a checkout, or a bare repository."""
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return bare or (folder / ".git").exists()


def template_folder() -> Path:
    """Return the folder with svcgen's `copier.yml` and `template/`: packaged, or the checkout."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def template_version() -> str:
    """Return the version of svcgen's template as services record it.

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


def _address(source: str) -> str:
    """Return one spelling of a repository's address: Copier's `gh:`, ssh, with and without .git."""
    plain = source.removeprefix("git+").rstrip("/").removesuffix(".git")
    for start in ("gh:", "git@github.com:", "ssh://git@github.com/"):
        plain = plain.replace(start, "https://github.com/", 1) if plain.startswith(start) else plain
    return plain
