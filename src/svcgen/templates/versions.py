"""Template versions by name: which is older, which is the newest, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from svcgen.errors import REPOSITORY, SvcgenError, did_you_mean

if TYPE_CHECKING:
    from packaging.version import Version

# Services record it for `copier update`.
SOURCE = f"{REPOSITORY}.git"
# Former addresses that services recorded: their next update records SOURCE.
FORMER: tuple[str, ...] = ()

RELEASE = re.compile(r"v(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}")
# What `git describe` returns for a commit after a tag: TAG-COMMITS-gHASH.
_DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<commits>\d+)-g(?P<hash>[0-9a-f]{4,64})")


def compare(version: str, other: str) -> int:
    """Return -1, 0 or 1: whether a version comes before, is, or comes after another (PEP 440).

    An unreleased one as `git describe` names it, `v1.2.0-3-gabc`, comes after v1.2.0. Raises
    SvcgenError for a version without an order, such as an abbreviated commit.
    """
    if version == other:
        return 0
    left, right = _sort_key(version), _sort_key(other)
    return (left > right) - (left < right)


def ordered(tags: Iterable[str]) -> tuple[str, ...]:
    """Sort tags that are versions by PEP 440, the oldest first; leave out the others."""
    versions = {tag: pep440(tag) for tag in tags}
    found = [(version, tag) for tag, version in versions.items() if version is not None]
    return tuple(tag for _version, tag in sorted(found))


def newest(versions: Iterable[str]) -> str:
    """Return the newest version that is not a pre-release, as Copier does; "" without one."""
    final = [tag for tag in versions if (parsed := pep440(tag)) and not parsed.is_prerelease]
    return ordered(final)[-1] if final else ""


def commit_of(version: str) -> str:
    """Return the abbreviated commit in a name of `git describe`; "" when there is none."""
    commit = described(version)[2]
    if commit:
        return commit
    return version if re.fullmatch(r"[0-9a-f]{4,64}", version) else ""


def tag_of(version: str) -> str:
    """Return the release that a version is, or that it comes after; "" when unknown."""
    tag = described(version)[0]
    return tag if pep440(tag) is not None and not commit_of(tag) else ""


def pep440(tag: str) -> Version | None:
    """Return the version that a tag names by PEP 440; None when it names none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(tag)
    except InvalidVersion:
        return None


def described(version: str) -> tuple[str, int, str]:
    """Return the tag of a version, and how many commits after it which commit is.

    For a tag these are 0 and "".
    """
    found = _DESCRIBED.fullmatch(version)
    return (found["tag"], int(found["commits"]), found["hash"]) if found else (version, 0, "")


def unknown(version: str, source: str, known: Iterable[str]) -> SvcgenError:
    """Return the error that a source does not have a version, with those that it has."""
    versions = list(known)
    have = f"There are: {', '.join(versions[-20:]) or 'none yet'}."
    advice = f"{did_you_mean(version, versions)} {have}".strip()
    return SvcgenError(f"{source} has no version {version}.", advice)


def _sort_key(version: str) -> tuple[Version, int, str]:
    parsed = pep440(tag_of(version))
    if parsed is None:
        raise SvcgenError(
            f"{version or 'No version'} cannot be ordered among versions.",
            "Name a released one; `svcgen template versions` lists them.",
        )
    _tag, commits, commit = described(version)
    return parsed, commits, commit
