"""Three versions of one text become one, as git merges them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.errors import SvcgenError
from svcgen.git import NO_SETTINGS, run

_FAILED = 128  # git merge-file's exit code is the number of conflicts, at most 127
_LOOKED_AT = 8000  # bytes, in which a NUL makes a file binary: git's own rule


@dataclass(frozen=True)
class Labels:
    """What the three sides of a conflict are called at its markers."""

    old: str
    new: str
    mine: str = "yours"


@dataclass(frozen=True)
class Text:
    """A merged text; each of its conflicts stands between markers."""

    content: bytes
    conflicts: int = 0


def is_binary(content: bytes) -> bool:
    """Tell whether git would call it binary, and not merge it."""
    return b"\0" in content[:_LOOKED_AT]


def merge_text(old: bytes, new: bytes, mine: bytes, labels: Labels) -> Text:
    """Merge two descendants of `old`; where git does so without a conflict, this is its result.

    Where it does not, line ends (CRLF) and the newline at the end are merged apart from the lines:
    an editor that rewrote all of them has then changed nothing. Raises SvcgenError without git.
    """
    merged = _merged(old, new, mine, labels)
    if not merged.conflicts:
        return merged
    forms = _Form.of(old), _Form.of(new), _Form.of(mine)
    plain = _plain(old, forms), _plain(new, forms), _plain(mine, forms)
    if plain == (old, new, mine):
        return merged
    return _formed(_merged(*plain, labels), _common(*forms))


def merge_added(new: bytes, mine: bytes, labels: Labels) -> Text:
    """Merge two texts that have no ancestor: what differs is a conflict, unless one is empty."""
    if not (mine and new):
        return Text(mine or new)
    forms = _Form.of(mine), _Form.of(new), _Form.of(mine)
    ours, theirs = _plain(mine, forms), _plain(new, forms)
    if ours == theirs:
        return Text(mine)
    return _formed(_git(b"", theirs, ours, labels, with_old=False), forms[0])


def _merged(old: bytes, new: bytes, mine: bytes, labels: Labels) -> Text:
    if new in {old, mine}:
        return Text(mine)
    return Text(new) if mine == old else _git(old, new, mine, labels)


def _git(old: bytes, new: bytes, mine: bytes, labels: Labels, *, with_old: bool = True) -> Text:
    with TemporaryDirectory(prefix="svcgen-") as folder:
        for name, content in (("mine", mine), ("old", old), ("new", new)):
            Path(folder, name).write_bytes(content)
        names = ("-L", labels.mine, "-L", labels.old, "-L", labels.new)
        style = ("--diff3",) if with_old else ()
        words = ("merge-file", "-p", "-q", *style, *names, "mine", "old", "new")
        done = run(*words, within=Path(folder), variables=NO_SETTINGS)
    if done.returncode >= _FAILED or done.returncode < 0:
        raise SvcgenError(f"git merge-file failed: {done.stderr.decode(errors='replace').strip()}")
    return Text(done.stdout, done.returncode)


@dataclass(frozen=True)
class _Form:
    """How a text ends its lines, apart from what they say. None: it does not tell."""

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


def _common(old: _Form, new: _Form, mine: _Form) -> _Form:
    return _Form(
        crlf=_chosen(old.crlf, new.crlf, mine.crlf),
        mixed=old.mixed or new.mixed or mine.mixed,
        ended=_chosen(old.ended, new.ended, mine.ended),
    )


def _chosen(old: bool | None, new: bool | None, mine: bool | None) -> bool | None:
    return new if mine in {old, None} and new is not None else mine


def _formed(plain: Text, form: _Form) -> Text:
    content = plain.content
    last = content.rfind(b"\n", 0, -1) + 1
    if form.ended is False and not (plain.conflicts and content.startswith(b">>>>>>> ", last)):
        content = content.removesuffix(b"\n")
    if form.crlf and not form.mixed:
        content = content.replace(b"\n", b"\r\n")
    return Text(content, plain.conflicts)
