"""A company's template in git: one mirror a URL on this machine, fetched once a command."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import locked, move_into_place, staged
from svcgen.git import complaint, git, run
from svcgen.templates.base import Version, expanded
from svcgen.templates.cache import cache_error, exported, folder_of, make_folder_of, write_files
from svcgen.templates.versions import commit_of, newest, ordered, unknown

_TAGS = "refs/tags/"
_HEAD = "refs/svcgen/HEAD"
_NAME = "repository.git"
# An address or scp's notation, as in git@host:team/template.git; one letter is a drive.
_REMOTE = re.compile(r"[\w.@-]{2,}:(?!//|:).+|\w[\w+.-]*://.+")
# A password in any address; with http also a name alone: there it is an access token.
_SECRET = re.compile(r"\w[\w+.-]*://[^/@]*:[^/@]+@|(?:git\+)?https?://[^/]*@", re.IGNORECASE)
_SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}  # as Copier has them


@dataclass(frozen=True)
class GitTemplate:
    """A template that git can clone: `source` as services record it, `url` as git reads it."""

    source: str
    url: str

    def versions(self) -> tuple[str, ...]:
        """Return the tags that are versions (PEP 440), the oldest first."""
        return ordered(_tags(_mirror(self.url)))

    def obtain(self, ref: str = "") -> Version:
        """Return a tag, branch or commit; without one the newest tag, else what HEAD points at."""
        mirror = _mirror(self.url)
        tags = _tags(mirror)
        wanted = ref or newest(tags) or "HEAD"
        if wanted == "HEAD":
            _fetch_head(self.url)
        commit = _commit(mirror, f"{_TAGS}{wanted}" if wanted in tags else wanted)
        if not commit and wanted == "HEAD":
            raise SvcgenError(
                f"{self.source} has no commit on its default branch.", "Commit the template first."
            )
        if not commit:
            raise unknown(wanted, self.source, ordered(tags) or sorted(tags))
        name = wanted
        if wanted not in tags and not commit_of(wanted):  # as Copier records it
            name = git(f"--git-dir={mirror}", "describe", "--tags", "--always", commit)
        folder = exported(self.url, commit, lambda staging: write_files(mirror, commit, staging))
        return Version(self.source, name, folder, commit)


def open_mirror(source: str) -> GitTemplate:
    """Open a git template by URL or path, fetched now; when that fails, as last fetched.

    Raises SvcgenError when git cannot read the source and it was never fetched, and for a URL with
    a password or a token, which every service would record.
    """
    opened = _template(source)
    _mirror(opened.url)
    return opened


def _template(source: str) -> GitTemplate:
    if _SECRET.match(source):
        raise SvcgenError(
            "The template's address has a password or a token, which every service would record.",
            "Remove it, and use a credential helper: git help credentials",
        )
    path = expanded(source).absolute()
    if path.exists() or (folder_of(str(path)) / _NAME).is_dir():  # the mirror may serve it offline
        return GitTemplate(str(path), str(path))
    if source.startswith("-") or not _REMOTE.fullmatch(source):
        raise SvcgenError(
            f"There is no folder {source}, and it is not the address of a git repository.",
            "Name a folder or an address, for example https://git.acme.com/template.git",
        )
    return GitTemplate(source, _expanded(source))


def _expanded(source: str) -> str:
    for short, whole in _SHORT.items():
        if source.startswith(short):
            return whole + source.removeprefix(short).strip("/").removesuffix(".git") + ".git"
    return source.removeprefix("git+")


@cache
def _mirror(url: str) -> Path:
    """Return the bare repository of a URL, fetched once a process."""
    folder = make_folder_of(url)
    mirror = folder / _NAME
    with _locked(folder):
        existed = mirror.is_dir()
        problem = _refresh(mirror, url) if existed else _create(mirror, url)
        if problem and existed and not run("ls-remote", "--", url, "HEAD").returncode:
            problem = _create(mirror, url)  # the source answers: the mirror is broken
    if problem and not existed:
        raise SvcgenError(
            f"The template {url} cannot be fetched: {problem}", f"Try: git ls-remote {url}"
        )
    if problem:
        logging.getLogger(__name__).warning(
            "%s cannot be fetched (%s): its versions are those of the last fetch.", url, problem
        )
    return mirror


def _create(mirror: Path, url: str) -> str:
    """Make a mirror in a staging directory, then move it into place; return git's error."""
    problem = ""
    with staged(mirror.parent) as staging:
        for object_format in ("sha1", "sha256"):
            made = staging / object_format
            words = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
            git("init", *words, made)
            problem = _refresh(made, url)
            if "mismatched algorithms" not in problem:
                break
        if not problem:
            shutil.rmtree(mirror, ignore_errors=True)
            move_into_place(made, mirror)
    return problem


def _refresh(mirror: Path, url: str) -> str:
    """Fetch branches and tags; return git's error.

    The caller holds svcgen's lock, so a lock file of git is what a killed process left.
    """
    for stale in mirror.rglob("*.lock"):
        stale.unlink()
    branches = ("+refs/heads/*:refs/heads/*", f"+{_TAGS}*:{_TAGS}*")
    return _fetch(mirror, "--prune", "--", url, *branches)


@cache
def _fetch_head(url: str) -> None:
    """Fetch what HEAD points at; offline it stays as it is."""
    mirror = _mirror(url)
    with _locked(mirror.parent):
        _fetch(mirror, "--", url, f"+HEAD:{_HEAD}")


def _fetch(mirror: Path, *words: str) -> str:
    done = run(
        "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30",
        f"--git-dir={mirror}", "fetch", "--quiet", "--force", "--no-tags", "--no-auto-maintenance",
        "--no-write-fetch-head", "--update-shallow", *words,
    )  # fmt: skip
    return complaint(done) if done.returncode else ""


def _tags(mirror: Path) -> tuple[str, ...]:
    listed = git(f"--git-dir={mirror}", "for-each-ref", "--format=%(refname)", _TAGS)
    return tuple(line.removeprefix(_TAGS) for line in listed.splitlines())


def _commit(mirror: Path, wanted: str) -> str:
    """Return the full commit of a tag, a branch or an abbreviated commit; "" when unknown."""
    if wanted.startswith("-"):
        return ""
    name = _HEAD if wanted == "HEAD" else commit_of(wanted) or wanted
    words = ("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
    found = run(f"--git-dir={mirror}", *words)
    return "" if found.returncode else found.stdout.decode().strip()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a mirror: one process at a time fetches it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / "lock", create=True))
        except OSError as error:
            raise cache_error(error) from error
        yield
