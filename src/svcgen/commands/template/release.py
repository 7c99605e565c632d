"""`svcgen template release`: check a company's template, and tag it as a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.render.trust import Allows
from svcgen.template_check.check import CheckResult, Progress, check_template
from svcgen.templates.base import Version
from svcgen.templates.changelog import entries
from svcgen.templates.sources import open_source
from svcgen.templates.versions import RELEASE, compare, ordered
from svcgen.update.repository import require_committed_template
from svcgen.update.stored_answers import require_declared_answers

_TAGS = "refs/tags/"


@dataclass(frozen=True)
class ReleaseResult:
    """The version and its check; it is tagged when the check found no faults."""

    version: str
    checked: CheckResult


def release(
    folder: Path,
    version: str,
    given: Mapping[str, Any],
    *,
    allows: Allows = lambda _wish: False,
    progress: Progress = lambda _done, _all: None,
) -> ReleaseResult:
    """Tag the commit that is checked out as a version, with its changelog's section as message.

    Raises SvcgenError when something is not committed, the version is not higher than the released
    ones, CHANGELOG.md has no section for it, or `_svcgen` does not declare a removed question.
    """
    root = require_committed_template(folder)
    last = _refuse_not_higher(root, version)
    text = _section(root, version, last)
    if last:
        require_declared_answers(
            open_source(str(root)).obtain(last), Version(str(root), version, root)
        )
    checked = check_template(root, given, allows=allows, progress=progress)
    if not checked.faults:
        message = f"{version}\n\n{text}\n"
        git("tag", "--annotate", "--cleanup=verbatim", "-m", message, version, within=root)
    return ReleaseResult(version, checked)


def _refuse_not_higher(root: Path, version: str) -> str:
    if not RELEASE.fullmatch(version):
        raise SvcgenError(f"{version} is not a version.", "Write vX.Y.Z, for example v1.0.0.")
    listed = git("for-each-ref", "--format=%(refname)", _TAGS, within=root).splitlines()
    released = ordered(line.removeprefix(_TAGS) for line in listed)
    if released and compare(version, released[-1]) <= 0:
        raise SvcgenError(
            f"{version} is not higher than {released[-1]}, the newest release.",
            f"Choose a higher one; released are: {', '.join(released[-20:])}.",
        )
    return released[-1] if released else ""


def _section(root: Path, version: str, last: str) -> str:
    found = entries(Version(str(root), version, root), last or "v0.0.0.dev0")
    texts = [entry.text for entry in found if entry.version == version]
    if not texts:
        raise SvcgenError(
            f"CHANGELOG.md does not say what {version} changes.",
            f"Write a section `## {version}`: `svcgen update` shows it. Then commit it.",
        )
    return texts[0]
