"""The repository of a company's template, as someone works in it."""

from __future__ import annotations

from pathlib import Path

from svcgen.commands.repository import refuse_nobody, repository_of, uncommitted
from svcgen.errors import SvcgenError
from svcgen.render.rules.template import read_template

_SHOWN = 5


def open_repository(folder: Path) -> Path:
    """Return the root of the template's repository that a folder is in, all of it committed.

    Raises SvcgenError when it is in none, when the root holds no template, when something is not
    committed, or when git does not know who commits.
    """
    root = repository_of(folder)
    if root is None:
        raise SvcgenError(
            f"{folder} is in no git repository.",
            "Go to your template's, or start one: svcgen template init DIR",
        )
    read_template(root)
    refuse_nobody(root)
    if changed := uncommitted(root):
        more = ", …" if len(changed) > _SHOWN else ""
        raise SvcgenError(
            f"Not everything is committed: {', '.join(changed[:_SHOWN])}{more}.",
            "Commit it, or put it away: git stash -u",
        )
    return root
