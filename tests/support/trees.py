"""Trees as tests write them, and what a merge makes of the user's."""

from __future__ import annotations

from svcgen.merge.files import File, Tree
from svcgen.merge.merge import merge, paths_to_read
from svcgen.merge.model import MergeResult, Rules

RULES = Rules(seeded=lambda path: path.startswith("seeded/"), manifests={}, old="v1", new="v2")

Written = dict[str, "str | bytes | File"]


def tree(files: Written) -> dict[str, File]:
    return {path: file_of(content) for path, content in files.items()}


def file_of(content: str | bytes | File) -> File:
    if isinstance(content, File):
        return content
    return File(content.encode() if isinstance(content, str) else content)


def link(target: str) -> File:
    return File(target.encode(), link=True)


def program(content: str) -> File:
    return File(content.encode(), executable=True)


def merged(
    old: Tree, new: Tree, mine: Tree, rules: Rules = RULES
) -> tuple[dict[str, File], MergeResult]:
    """Return the user's tree after the merge, and the merge: it sees no more than it asks for."""
    asked = paths_to_read(old, new, rules)
    folders = tuple(f"{path}/" for path in asked)
    above = {path for path in mine if any(there.startswith(f"{path}/") for there in asked)}
    seen = {
        path: file
        for path, file in mine.items()
        if path in asked or path in above or path.startswith(folders)
    }
    result = merge(old, new, seen, rules)
    after = {**mine, **{change.path: change.after for change in result.changes}}
    return {path: file for path, file in after.items() if file}, result
