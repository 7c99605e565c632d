"""A company's template repository: svcgen's releases on its branch `upstream`.

svcgen's changelog is UPSTREAM.md on that branch, so CHANGELOG.md has only the company's versions
and no merge touches it. Tags are `upstream/vX.Y.Z`: they never clash with the company's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.errors import SvcgenError
from svcgen.git import git, run
from svcgen.templates.releases import releases, releases_file
from svcgen.templates.versions import compare, ordered, unknown

BRANCH = "upstream"
_TAGS = "refs/tags/upstream/"
_CHANGELOG, _UPSTREAM = "CHANGELOG.md", "UPSTREAM.md"
_PERSON = {
    f"GIT_{role}_{what}": f"%{role[0].lower()}{letter}"
    for role in ("AUTHOR", "COMMITTER")
    for what, letter in (("NAME", "n"), ("EMAIL", "e"), ("DATE", "I"))
}


def known_releases(repository: Path) -> tuple[str, ...]:
    """Return svcgen's releases in the repository or in this svcgen, the oldest first."""
    return ordered({*releases(releases_file()), *_added(repository)})


def add_releases(repository: Path, upto: str) -> tuple[str, ...]:
    """Commit the missing releases up to a version on `upstream`; return their names.

    The same releases become the same commits in every repository. Raises SvcgenError for an unknown
    version, and when the branch has a commit that is not a release.
    """
    known = known_releases(repository)
    if upto not in known:
        raise unknown(upto, "svcgen's template", known)
    _require_our_commits(repository)
    added, bundle = _added(repository), releases_file()
    missing = [name for name in known if name not in added and compare(name, upto) <= 0]
    if missing:
        git("bundle", "unbundle", bundle.absolute(), within=repository)
    for version in missing:
        commit = _commit(repository, releases(bundle)[version], _tip(repository))
        git("update-ref", f"{_TAGS}{version}", commit, within=repository)
    git("update-ref", f"refs/heads/{BRANCH}", _tip(repository), within=repository)
    return tuple(missing)


def release_commit(version: str) -> str:
    """Return the ref of a release on `upstream`."""
    return f"{_TAGS}{version}"


def _added(repository: Path) -> Mapping[str, str]:
    """Return the releases in the repository, and their commits."""
    form = "--format=%(refname) %(objectname)"
    listed = git("for-each-ref", form, _TAGS, within=repository).splitlines()
    pairs = (line.removeprefix(_TAGS).split() for line in listed)
    return dict(pairs)


def _tip(repository: Path) -> str:
    added = _added(repository)
    return added[ordered(added)[-1]] if added else ""


def _require_our_commits(repository: Path) -> None:
    """Raise SvcgenError when `upstream` ends in a commit that is not a release."""
    found = run("rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}", within=repository)
    commit = found.stdout.decode().strip()
    if not found.returncode and commit not in _added(repository).values():
        raise SvcgenError(
            f"The branch {BRANCH} has a commit that is not a release of svcgen: {commit[:12]}.",
            f"Keep it under another name: git branch -m {BRANCH} OTHER; "
            f"then go back to the last release: git branch {BRANCH} upstream/vX.Y.Z",
        )


def _commit(repository: Path, release: str, parent: str) -> str:
    """Write a release's commit on another parent, with the changelog under another name."""
    form = "%n".join([*_PERSON.values(), "%s"])
    *person, title = git(
        "show", "--no-patch", f"--format={form}", release, within=repository
    ).split("\n")
    parents = ("-p", parent) if parent else ()
    return git(
        *("commit-tree", _tree(repository, release), *parents, "-m", title),
        within=repository,
        variables=dict(zip(_PERSON, person, strict=True)),
    )


def _tree(repository: Path, release: str) -> str:
    with TemporaryDirectory(prefix="svcgen-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git("read-tree", release, within=repository, variables=index)
        listed = git("ls-files", "--stage", "--", _CHANGELOG, within=repository, variables=index)
        if listed:
            entry = ",".join((*listed.split()[:2], _UPSTREAM))
            words = ("--add", "--cacheinfo", entry, "--force-remove", _CHANGELOG)
            git("update-index", *words, within=repository, variables=index)
        return git("write-tree", within=repository, variables=index)
