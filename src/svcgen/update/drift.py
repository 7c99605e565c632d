"""Which managed files of a service are not what its own template version rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.git import keeps_modes
from svcgen.merge.files import File, Tree, parents, read_tree
from svcgen.merge.text import is_binary
from svcgen.render.render import render_version, seeded_patterns
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Version
from svcgen.templates.declaration import read_declaration
from svcgen.templates.patterns import matcher
from svcgen.update.plan import stored_answers

CHANGED = "changed"
MODE = "mode"
MISSING = "missing"
BLOCKED = "blocked"  # a folder is in its place, or a file in that of one of its folders


@dataclass(frozen=True)
class Drifted:
    """A file that is not as rendered: its state is one of the words above."""

    path: str
    state: str
    rendered: File
    found: File | None

    @property
    def restored(self) -> File:
        """What puts it right, with the line ends that it has here."""
        found = self.found.content if self.found else b""
        if is_binary(self.rendered.content) or not _has_crlf(found):
            return self.rendered
        content = _with_lf(self.rendered.content).replace(b"\n", b"\r\n")
        return File(content, self.rendered.executable, self.rendered.link)


def drifted(folder: Path, version: Version, *, trusted: bool = False) -> tuple[Drifted, ...]:
    """Compare a service with a render of its own version and answers, by content and mode.

    Seeded files and locks are the service's own and do not count, nor does the answers file. Line
    ends that a checkout made CRLF are no difference. Raises SvcgenError when the answers cannot be
    read, or the version does not render them.
    """
    answers = stored_answers(folder)
    with TemporaryDirectory(prefix="svcgen-") as aside:
        made = Path(aside, folder.name)  # templates may use the folder's own name
        rendered = read_tree(render_version(version, made, answers, trusted=trusted))
    seeded = matcher(seeded_patterns(version, answers, trusted=trusted))
    locks = {lock for group in read_declaration(version).manifests.values() for lock in group}
    own = locks | {ANSWERS_FILE}
    managed = {p: file for p, file in rendered.items() if p not in own and not seeded(p)}
    differ = tuple(_differences(managed, read_tree(folder, managed)))
    if any(one.state == MODE for one in differ) and not keeps_modes(folder):
        return tuple(one for one in differ if one.state != MODE)
    return differ


def _differences(managed: Tree, found: Tree) -> Iterator[Drifted]:
    folders = {parent for path in found for parent in parents(path)}
    for path, file in sorted(managed.items()):
        there = found.get(path)
        if there is None:
            blocked = path in folders or any(parent in found for parent in parents(path))
            yield Drifted(path, BLOCKED if blocked else MISSING, file, None)
        elif there.link != file.link or not _same_text(file, there):
            yield Drifted(path, CHANGED, file, there)
        elif there.executable != file.executable:
            yield Drifted(path, MODE, file, there)


def _same_text(one: File, other: File) -> bool:
    if one.content == other.content or is_binary(one.content):
        return one.content == other.content
    return _with_lf(one.content) == _with_lf(other.content)


def _with_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def _has_crlf(text: bytes) -> bool:
    return 0 < text.count(b"\n") == text.count(b"\r\n")
