"""A company's template in git: one mirror a URL on this machine, fetched once a command."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import staged
from svcgen.git import complaint, git, run
from svcgen.templates.base import Version, expanded
from svcgen.templates.cache import closed, exported, folder_of, made_folder_of, write_files
from svcgen.templates.versions import commit_of, newest, ordered, unknown

_TAGS = "refs/tags/"
_HEAD = "refs/svcgen/HEAD"
_NAME = "repository.git"
# scp's way to write an address, as in git@host:team/template.git; of one letter it is a drive.
_REMOTE = re.compile(r"[\w.@-]{2,}:(?!//|:).+|\w[\w+.-]*://.+")
_SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}  # as Copier has them


@dataclass(frozen=True)
class GitTemplate:
    """A template that git can clone: `source` as services record it, `url` as git reads it."""

    source: str
    url: str

    def versions(self) -> tuple[str, ...]:
        """Name the tags that are versions (PEP 440), the oldest first."""
        return ordered(_tags(_mirror(self.url)))

    def obtain(self, ref: str = "") -> Version:
        """Return a tag, branch or commit; without one the newest tag, else what HEAD points at."""
        mirror = _mirror(self.url)
        tags = _tags(mirror)
        wanted = ref or newest(tags) or "HEAD"
        if wanted == "HEAD":
            _fetch_head(self.url)
        commit = _commit(mirror, f"{_TAGS}{wanted}" if wanted in tags else wanted)
        if not commit:
            raise unknown(wanted, self.source, ordered(tags) or sorted(tags))
        name = wanted if wanted in tags or commit_of(wanted) else _described(mirror, commit)
        folder = exported(self.url, commit, lambda aside: write_files(mirror, commit, aside))
        return Version(self.source, name, folder)


def open_mirror(source: str) -> GitTemplate:
    """Open a git template by URL or path, fetched now; when that fails, as it was last seen.

    Raises SvcgenError when the source is nothing that git can read, was never fetched and cannot
    be now, or carries a password, which every service would record.
    """
    opened = _template(source)
    _mirror(opened.url)
    return opened


def _template(source: str) -> GitTemplate:
    if re.match(r"\w[\w+.-]*://[^/@]*:[^/@]+@", source):
        raise SvcgenError(
            "The template's address carries a password, which every service would record.",
            "Leave it out, and let git find it: `git help credentials`",
        )
    path = expanded(source).absolute()
    if path.exists() or (folder_of(str(path)) / _NAME).is_dir():  # it may be away just now
        return GitTemplate(str(path), str(path))
    if source.startswith("-") or not _REMOTE.fullmatch(source):
        raise SvcgenError(
            f"There is no folder {source}, and it is no address of a git repository.",
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
    """Return the bare repository of a URL, fetched; once a process."""
    place = made_folder_of(url)
    mirror = place / _NAME
    with _locked(place / "lock"):
        known = mirror.is_dir()
        problem = _refresh(mirror, url) if known else _create(mirror, url)
        if problem and known and not run("ls-remote", "--", url, "HEAD").returncode:
            problem = _create(mirror, url)  # the source answers, so it is the mirror that is broken
    if problem and not known:
        raise SvcgenError(
            f"The template {url} cannot be fetched: {problem}", f"Try: git ls-remote {url}"
        )
    if problem:
        logging.getLogger(__name__).warning(
            "%s cannot be fetched (%s): its versions are those last seen.", url, problem
        )
    return mirror


def _create(mirror: Path, url: str) -> str:
    """Make a mirror aside, and rename it when it is whole; return what went wrong."""
    with staged(mirror.parent) as place:
        made = place / _NAME
        problem = _begin(made, url, "sha1")
        if "mismatched algorithms" in problem:
            shutil.rmtree(made)
            problem = _begin(made, url, "sha256")
        if not problem:
            shutil.rmtree(mirror, ignore_errors=True)
            made.rename(mirror)
        return problem


def _begin(made: Path, url: str, form: str) -> str:
    git("init", "--quiet", "--bare", "--template=", f"--object-format={form}", made)
    return _refresh(made, url)


def _refresh(mirror: Path, url: str) -> str:
    """Fetch branches and tags as they are now; return git's complaint.

    Whoever fetches holds our lock, so a lock of git's own is what a killed one left.
    """
    for left in mirror.rglob("*.lock"):
        left.unlink()
    branches = ("+refs/heads/*:refs/heads/*", f"+{_TAGS}*:{_TAGS}*")
    return _fetch(mirror, "--prune", "--", url, *branches)


@cache
def _fetch_head(url: str) -> None:
    """Fetch what HEAD points at, which few ask for; offline it is what it was."""
    mirror = _mirror(url)
    with _locked(mirror.parent / "lock"):
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
    """Return the whole commit of a tag, a branch or an abbreviated commit; "" when unknown."""
    if wanted.startswith("-"):
        return ""
    name = _HEAD if wanted == "HEAD" else commit_of(wanted) or wanted
    words = ("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
    found = run(f"--git-dir={mirror}", *words)
    return "" if found.returncode else found.stdout.decode().strip()


def _described(mirror: Path, commit: str) -> str:
    """Name a commit as Copier records it."""
    return git(f"--git-dir={mirror}", "describe", "--tags", "--always", commit)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time fetch a mirror; the system frees the lock of a killed one."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise closed(error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
