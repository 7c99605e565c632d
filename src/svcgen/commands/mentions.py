"""Where a service's former name is still in files: only their owner knows what it means there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.files import read_file
from svcgen.merge.files import Tree, read_tree
from svcgen.render.render import render_version
from svcgen.service import read_service
from svcgen.templates.sources import open_source
from svcgen.update.moves import forms
from svcgen.update.plan import own_paths
from svcgen.update.stored_answers import stored_answers
from svcgen.workspace import SKIPPED

_TOOLS = SKIPPED | {".venv"}


@dataclass(frozen=True)
class Mention:
    """A file that has a name, and the first line with it."""

    path: Path
    line: int


def find_mentions(name: str, folders: Iterable[Path]) -> Iterator[Mention]:
    """Yield the files of services that have a name, but not lines of their templates.

    A template can have the name in an example.
    """
    spelled = "|".join(map(re.escape, dict.fromkeys(forms(name))))
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{spelled})(?![a-z0-9])")
    for folder in dict.fromkeys(folders):
        rendered = _rendered(folder)
        for path in sorted(own_paths(folder)):
            if not _TOOLS.isdisjoint(path.split("/")):
                continue  # outside of git nothing else distinguishes them
            with suppress(OSError, ValueError):  # deleted, binary, or a broken link
                template = rendered[path].content.decode() if path in rendered else ""
                known = set(template.splitlines())
                lines = enumerate(read_file(folder / path).decode().splitlines(), 1)
                found = (n for n, line in lines if line not in known and pattern.search(line))
                if number := next(found, 0):
                    yield Mention(folder / path, number)


def _rendered(folder: Path) -> Tree:
    service = read_service(folder)
    version = open_source(service.template).obtain(service.version)
    with TemporaryDirectory(prefix="svcgen-") as temporary:
        made = Path(temporary, folder.name)
        return read_tree(render_version(version, made, stored_answers(folder)))
