"""gateway/manifest.json: a digest of every file written, to tell an edit by hand from our own.

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
from svcgen.gateway.apply import read_text, replace_text

MANIFEST = "gateway/manifest.json"


@dataclass(frozen=True)
class Manifest:
    """Digests by path: of what was written, and of what a run that was killed was writing."""

    files: Mapping[str, str]
    writing: Mapping[str, tuple[str, ...]]

    def knows(self, path: str, text: str) -> bool:
        """Tell whether svcgen wrote this text there."""
        found = digest(text)
        return found == self.files.get(path) or found in self.writing.get(path, ())


def read_manifest(root: Path) -> Manifest:
    """Read what was written last; an unreadable manifest knows nothing."""
    try:
        written = json.loads(read_text(root / MANIFEST) or "{}")
        writing = {path: tuple(found) for path, found in written.get("writing", {}).items()}
        return Manifest(dict(written.get("files", {})), writing)
    except (ValueError, AttributeError, TypeError):
        return Manifest({}, {})


def refuse_edited(root: Path, files: Mapping[str, str]) -> None:
    """Raise SvcgenError when a file that would be replaced was written by someone else."""
    manifest = read_manifest(root)
    edited = [
        path
        for path, text in files.items()
        if (found := read_text(root / path)) not in (None, text)
        and not manifest.knows(path, found or "")
    ]
    if edited:
        raise SvcgenError(
            f"Not written by svcgen, or edited since: {', '.join(edited)}; nothing was changed.",
            "`svcgen compose --check` shows the difference. Settings belong into svcgen.yaml; "
            "to have a file written anew, delete it.",
        )


def begin_writing(root: Path, steps: Iterable[tuple[str, str]]) -> None:
    """Note what is about to be written, so that a killed run is not taken for an edit."""
    before = read_manifest(root)
    writing = {path: list(found) for path, found in before.writing.items()}
    for path, text in steps:
        writing.setdefault(path, []).append(digest(text))
    _write(root, {"files": dict(before.files), "writing": writing})


def end_writing(root: Path, files: Mapping[str, str]) -> None:
    """Note what is there now."""
    _write(root, {"files": {path: digest(text) for path, text in files.items()}})


def differences(root: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Return a unified diff for each file that is not what would be written."""
    found = {path: read_text(root / path) for path in files}
    return {
        path: _diff(path, found[path] or "", text)
        for path, text in files.items()
        if found[path] != text
    }


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=f"{path} (now)",
        tofile=f"{path} (to be written)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _write(root: Path, written: Mapping[str, object]) -> None:
    text = json.dumps(written, indent=1, sort_keys=True) + "\n"
    if read_text(root / MANIFEST) != text:
        replace_text(root / MANIFEST, text)
