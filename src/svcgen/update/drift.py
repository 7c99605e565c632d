"""Which managed files of a service differ from what its template version rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.git import keeps_modes
from svcgen.merge.files import File, Tree, parents, read_tree
from svcgen.merge.manifests import adds_dependencies_only
from svcgen.merge.text import is_binary
from svcgen.render.render import render_version, seeded_patterns
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import matcher
from svcgen.templates.declaration import read_declaration
from svcgen.update.stored_answers import stored_answers

CHANGED = "changed"
MODE = "mode"
MISSING = "missing"
BLOCKED = "blocked"  # a folder is in its place, or a file in the place of one of its folders


@dataclass(frozen=True)
class DriftedFile:
    """A file that differs from its render; `state` is one of the constants above."""

    path: str
    state: str
    rendered: File
    found: File | None

    @property
    def restored(self) -> File:
        """The rendered file, with the line ends that the user's file has."""
        user = self.found.content if self.found else b""
        has_crlf = 0 < user.count(b"\n") == user.count(b"\r\n")
        if is_binary(self.rendered.content) or not has_crlf:
            return self.rendered
        content = _with_lf(self.rendered.content).replace(b"\n", b"\r\n")
        return File(content, self.rendered.executable, self.rendered.link)


def find_drift(folder: Path, version: Version, *, trusted: bool = False) -> tuple[DriftedFile, ...]:
    """Compare a service with a render of its version and answers, by content and mode.

    Seeded files, locks and the answers file are not managed. Line ends that a checkout made CRLF
    do not count, nor do dependencies that were added to a manifest, or raised. Raises SvcgenError
    when the answers cannot be read, or the version does not render them.
    """
    answers = stored_answers(folder)
    with TemporaryDirectory(prefix="svcgen-") as temporary:
        target = Path(temporary, folder.name)  # templates can use the name of the folder
        rendered = read_tree(render_version(version, target, answers, trusted=trusted))
    seeded = matcher(seeded_patterns(version, answers, trusted=trusted))
    manifests = read_declaration(version).manifests
    locks = {lock for group in manifests.values() for lock in group}
    excluded = locks | {ANSWERS_FILE}
    managed = {p: file for p, file in rendered.items() if p not in excluded and not seeded(p)}
    differences = tuple(
        file
        for file in _differences(managed, read_tree(folder, managed))
        if not (file.path in manifests and _has_own_dependencies(file))
    )
    if any(file.state == MODE for file in differences) and not keeps_modes(folder):
        return tuple(file for file in differences if file.state != MODE)
    return differences


def _differences(managed: Tree, user_tree: Tree) -> Iterator[DriftedFile]:
    folders = {parent for path in user_tree for parent in parents(path)}
    for path, file in sorted(managed.items()):
        found = user_tree.get(path)
        if found is None:
            blocked = path in folders or any(parent in user_tree for parent in parents(path))
            yield DriftedFile(path, BLOCKED if blocked else MISSING, file, None)
        elif found.link != file.link or not _same_text(file, found):
            yield DriftedFile(path, CHANGED, file, found)
        elif found.executable != file.executable:
            yield DriftedFile(path, MODE, file, found)


def _has_own_dependencies(file: DriftedFile) -> bool:
    if file.state != CHANGED or file.found is None or file.found.link != file.rendered.link:
        return False
    return adds_dependencies_only(file.path, file.rendered.content, file.found.content)


def _same_text(rendered: File, found: File) -> bool:
    if rendered.content == found.content or is_binary(rendered.content):
        return rendered.content == found.content
    return _with_lf(rendered.content) == _with_lf(found.content)


def _with_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")
