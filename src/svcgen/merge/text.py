"""Merge three versions of one text, as git merges them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.errors import SvcgenError
from svcgen.git import NO_SETTINGS, run

_FAILED = 128  # git merge-file's exit code is the number of conflicts, at most 127
_CONFLICT = re.compile(
    rb"<<<<<<< [^\n]*\n(?P<user>(?:.*\n)*?)\|\|\|\|\|\|\| [^\n]*\n(?P<old>(?:.*\n)*?)"
    rb"=======\r?\n(?P<new>(?:.*\n)*?)>>>>>>> [^\n]*(?:\n|\Z)"
)
_SEARCHED = 8000  # bytes, in which a NUL makes a file binary: git's own rule


@dataclass(frozen=True)
class Labels:
    """The names of the three sides at conflict markers."""

    old: str
    new: str
    user: str = "yours"


@dataclass(frozen=True)
class MergedText:
    """A merged text; each of its conflicts is between markers."""

    content: bytes
    conflicts: int = 0


Lines = list[str]
Resolve = Callable[[Lines, Lines, Lines], Lines | None]
"""Takes the lines of a conflict: old, new, the user's. Returns the merged ones, or None."""


def resolve_conflicts(merged: MergedText, resolve: Resolve) -> MergedText:
    """Replace each conflict that `resolve` merges."""
    if not merged.conflicts:
        return merged
    content = _CONFLICT.sub(partial(_resolve, resolve), merged.content)
    return MergedText(content, sum(1 for _ in _CONFLICT.finditer(content)))


def _resolve(resolve: Resolve, conflict: re.Match[bytes]) -> bytes:
    sides = (conflict[side].decode(errors="surrogateescape") for side in ("old", "new", "user"))
    lines = resolve(*(side.replace("\r\n", "\n").split("\n")[:-1] for side in sides))
    if lines is None:
        return conflict[0]
    end = "\r\n" if b"\r\n" in conflict[0] else "\n"
    return "".join(line + end for line in lines).encode(errors="surrogateescape")


def is_binary(content: bytes) -> bool:
    """Return whether git treats a file as binary, and does not merge it."""
    return b"\0" in content[:_SEARCHED]


def merge_text(old: bytes, new: bytes, user: bytes, labels: Labels) -> MergedText:
    """Merge two descendants of `old`; where git finds no conflict, the result is git's.

    Where git finds one, line ends (CRLF) and the last newline are merged apart from the lines: an
    editor that rewrote all of them is then not a conflict. Raises SvcgenError without git.
    """
    merged = _merge(old, new, user, labels)
    if not merged.conflicts:
        return merged
    forms = _Form.of(old), _Form.of(new), _Form.of(user)
    plain = _plain(old, forms), _plain(new, forms), _plain(user, forms)
    if plain == (old, new, user):
        return merged
    form = _Form(
        crlf=_choose(*(form.crlf for form in forms)),
        mixed=any(form.mixed for form in forms),
        ended=_choose(*(form.ended for form in forms)),
    )
    return _format(_merge(*plain, labels), form)


def merge_added(new: bytes, user: bytes, labels: Labels) -> MergedText:
    """Merge two texts without an ancestor: differences conflict, unless one text is empty."""
    if not (user and new):
        return MergedText(user or new)
    forms = _Form.of(user), _Form.of(new), _Form.of(user)
    ours, theirs = _plain(user, forms), _plain(new, forms)
    if ours == theirs:
        return MergedText(user)
    return _format(_merge_file(b"", theirs, ours, labels, with_old=False), forms[0])


def _merge(old: bytes, new: bytes, user: bytes, labels: Labels) -> MergedText:
    if new in {old, user}:
        return MergedText(user)
    return MergedText(new) if user == old else _merge_file(old, new, user, labels)


def _merge_file(
    old: bytes, new: bytes, user: bytes, labels: Labels, *, with_old: bool = True
) -> MergedText:
    with TemporaryDirectory(prefix="svcgen-") as folder:
        for name, content in (("user", user), ("old", old), ("new", new)):
            Path(folder, name).write_bytes(content)
        names = ("-L", labels.user, "-L", labels.old, "-L", labels.new)
        style = ("--diff3",) if with_old else ()
        words = ("merge-file", "-p", "-q", *style, *names, "user", "old", "new")
        done = run(*words, within=Path(folder), variables=NO_SETTINGS)
    if done.returncode >= _FAILED or done.returncode < 0:
        raise SvcgenError(f"git merge-file failed: {done.stderr.decode(errors='replace').strip()}")
    return MergedText(done.stdout, done.returncode)


@dataclass(frozen=True)
class _Form:
    """How a text ends its lines, and whether it ends the last one; None: it does not show."""

    crlf: bool | None
    mixed: bool
    ended: bool | None

    @classmethod
    def of(cls, text: bytes) -> _Form:
        lines, crlf = text.count(b"\n"), text.count(b"\r\n")
        return cls(
            crlf=crlf > 0 if lines else None,
            mixed=0 < crlf < lines,
            ended=text.endswith(b"\n") if text else None,
        )


def _plain(text: bytes, forms: tuple[_Form, ...]) -> bytes:
    if not any(form.mixed for form in forms):
        text = text.replace(b"\r\n", b"\n")
    return text if not text or text.endswith(b"\n") else text + b"\n"


def _choose(old: bool | None, new: bool | None, user: bool | None) -> bool | None:
    return new if user in {old, None} and new is not None else user


def _format(plain: MergedText, form: _Form) -> MergedText:
    content = plain.content
    last = content.rfind(b"\n", 0, -1) + 1
    if form.ended is False and not (plain.conflicts and content.startswith(b">>>>>>> ", last)):
        content = content.removesuffix(b"\n")
    if form.crlf and not form.mixed:
        content = content.replace(b"\n", b"\r\n")
    return MergedText(content, plain.conflicts)
