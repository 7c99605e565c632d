"""gateway/manifest.json: digests of the written files, which tell svcgen's files from edited ones.

A file that is neither what was written nor what would be written is the user's, and stays.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from svcgen.compose.stitch import digest
from svcgen.errors import SvcgenError
from svcgen.files import read_text
from svcgen.gateway.apply import replace_text

MANIFEST = "gateway/manifest.json"


@dataclass(frozen=True)
class Manifest:
    """Digests by path: of the written files, and of what a killed run was writing."""

    files: Mapping[str, str]
    writing: Mapping[str, tuple[str, ...]]

    def wrote(self, path: str, text: str) -> bool:
        """Report whether svcgen wrote this text there."""
        found = digest(text)
        return found == self.files.get(path) or found in self.writing.get(path, ())


def read_manifest(root: Path) -> Manifest:
    """Read the digests of the last run; none when the manifest is unreadable."""
    try:
        content = json.loads(read_text(root / MANIFEST) or "{}")
        writing = {path: tuple(found) for path, found in content.get("writing", {}).items()}
        return Manifest(dict(content.get("files", {})), writing)
    except (ValueError, AttributeError, TypeError):
        return Manifest({}, {})


def refuse_edited(root: Path, files: Mapping[str, str]) -> None:
    """Raise SvcgenError when a file that would be replaced was not written by svcgen."""
    manifest, edited = read_manifest(root), []
    for path, text in files.items():
        current = read_text(root / path)
        if current not in (None, text) and not manifest.wrote(path, current or ""):
            edited.append(path)
    if edited:
        raise SvcgenError(
            f"Not written by svcgen, or edited since: {', '.join(edited)}; nothing was changed.",
            "`svcgen compose --check --diff` shows the difference. Settings belong in svcgen.yaml; "
            "to have a file written again, delete it.",
        )


def begin_writing(root: Path, steps: Iterable[tuple[str, str]]) -> None:
    """Record what is about to be written, so that what a killed run left is not an edit."""
    before = read_manifest(root)
    writing = {path: list(found) for path, found in before.writing.items()}
    for path, text in steps:
        writing.setdefault(path, []).append(digest(text))
    _write(root, {"files": dict(before.files), "writing": writing})


def end_writing(root: Path, files: Mapping[str, str]) -> None:
    """Record the files as written; remove those that an earlier run wrote and no service needs."""
    before = read_manifest(root)
    for path in before.files.keys() - files.keys():
        current = read_text(root / path)
        if current is not None and before.wrote(path, current):
            (root / path).unlink()
    _write(root, {"files": {path: digest(text) for path, text in files.items()}})


def differences(root: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Return a unified diff for each file that differs from what would be written."""
    diffs = {}
    for path, text in files.items():
        current = read_text(root / path)
        if current != text:
            lines = difflib.unified_diff(
                (current or "").splitlines(keepends=True),
                text.splitlines(keepends=True),
                fromfile=f"{path} (now)",
                tofile=f"{path} (to be written)",
            )
            diffs[path] = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return diffs


def _write(root: Path, content: Mapping[str, object]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    if read_text(root / MANIFEST) != text:
        replace_text(root / MANIFEST, text)
