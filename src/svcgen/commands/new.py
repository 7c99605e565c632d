"""`svcgen new`: one service from the template."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.render import Template, check_answers, questions, render_service
from svcgen.service import read_service, read_yaml
from svcgen.workspace import Workspace, open_workspace

_ASIDE = ".svcgen-new-"
_STALE_SECONDS = 3600


@dataclass(frozen=True)
class NewService:
    """What was made: the service's folder and its files, relative to it, sorted."""

    name: str
    folder: Path
    version: str
    files: tuple[str, ...]


def new_service(
    folder: Path,
    answers: Mapping[str, Any],
    *,
    source: str = "",
    ref: str = "",
    ask: bool = False,
) -> NewService:
    """Render a service beside its place, then move it there in one step.

    Raises SvcgenError, with nothing written, when the place is taken, the name is used in the
    workspace, a question is unknown or the template refuses an answer.
    """
    folder = folder.absolute()
    if not source:
        _refuse_unknown(answers)
        check_answers(answers)
    _refuse_taken(folder)
    workspace = open_workspace(folder.parent)
    _refuse_used(str(answers["name"]), workspace)
    template = Template(source, ref, workspace.settings.get("defaults") or {})
    with _aside(folder.parent) as aside:
        made = render_service(aside / folder.name, answers, template, ask=ask)
        return _moved(made, folder)


def read_answers(pairs: list[str], file: Path | None) -> dict[str, Any]:
    """Merge a file of answers with `QUESTION=ANSWER` pairs, which win.

    Raises SvcgenError when a pair has no `=` or the file holds no map.
    """
    answers = read_yaml(file) if file else {}
    if not isinstance(answers, dict):
        raise SvcgenError(f"{file} holds no answers.", "Write one `question: answer` a line.")
    for pair in pairs:
        question, sign, answer = pair.partition("=")
        if not sign:
            raise SvcgenError(
                f'"{pair}" is no answer.', "Write QUESTION=ANSWER, as in -d database=postgres."
            )
        answers[question.strip()] = answer
    return answers


def _refuse_taken(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise SvcgenError(
            f"{folder} is there already.",
            f"Choose another folder: svcgen new {folder.name} OTHER-FOLDER",
        )


def _refuse_unknown(answers: Mapping[str, Any]) -> None:
    known = list(questions())
    for question in answers:
        if question not in known:
            near = get_close_matches(question, known, n=1)
            advice = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(known)}."
            raise SvcgenError(f"The template has no question `{question}`.", advice)


def _refuse_used(name: str, workspace: Workspace) -> None:
    for service in workspace.services:
        if service.name == name:
            raise SvcgenError(
                f'The name "{name}" is used by {service.folder}.',
                "Each service of a workspace needs a name of its own: choose another one.",
            )


@contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """Give a folder on the same file system, so that the move is one rename; then remove it."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _clear_stale(parent)
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=parent))
    except OSError as error:
        raise SvcgenError(f"Nothing can be written to {parent}: {error.strerror}.") from error
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _clear_stale(parent: Path) -> None:
    """Remove what a killed `new` left, but not what one that still runs is writing."""
    for left in parent.glob(_ASIDE + "*"):
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _moved(made: Path, folder: Path) -> NewService:
    service = read_service(made)
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    try:
        os.rename(made, folder)  # noqa: PTH104 (over an empty folder, or not at all)
    except OSError as error:
        raise SvcgenError(f"{folder} cannot be made: {error.strerror}.") from error
    return NewService(service.name, folder, service.version, tuple(files))
