"""`svcgen new`: one service from the template."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.files import staged
from svcgen.render.refusals import require_known_questions
from svcgen.render.render import (
    check_answers,
    questions,
    render_version,
)
from svcgen.render.trust import Allows, may_run
from svcgen.service import ANSWERS_FILE, REGISTRATION_FILE, is_service, read_service
from svcgen.settings import SETTINGS_FILE
from svcgen.templates.base import Version
from svcgen.templates.sources import open_source
from svcgen.workspace import Workspace, open_workspace
from svcgen.yaml_files import read_yaml

_PLAIN = re.compile("[a-z][-a-z0-9]*")


@dataclass(frozen=True)
class NewResult:
    """What was made: the service's folder and its files, relative to it, sorted."""

    name: str
    folder: Path
    version: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """Which template, ours by default, and which version of it, the newest by default.

    `trusts` is asked about one that runs programs of its own, with a sentence that says so.
    """

    source: str = ""
    ref: str = ""
    trusts: Allows = lambda _wish: False


OURS = Template()


def new_service(
    folder: Path,
    answers: Mapping[str, Any],
    template: Template = OURS,
    *,
    ask: bool = False,
) -> NewResult:
    """Render a service beside its place, then move it there in one step.

    Raises SvcgenError, with nothing written, when the place is taken, the name is used in the
    workspace, a question is unknown, the template is not trusted or refuses an answer.
    """
    folder = folder.absolute()
    version = open_source(template.source).obtain(template.ref)
    require_known_questions(answers, version)
    if not template.source and not _PLAIN.fullmatch(str(answers["name"])):
        check_answers(answers, version)  # before it becomes a path; the render judges the rest
    _refuse_taken(folder)
    workspace = open_workspace(folder.parent)
    _refuse_used(str(answers["name"]), workspace)
    defaults = _defaults(workspace, version)
    trusted = may_run(version, template.trusts)
    with staged(folder.parent) as place:
        made = render_version(
            version, place / folder.name, answers, trusted=trusted, ask=ask, defaults=defaults
        )
        _refuse_no_service(made, version)
        _give_modes(made)
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


def _defaults(workspace: Workspace, version: Version) -> Mapping[str, Any]:
    """Return the `defaults` of svcgen.yaml; they may answer questions of other templates too."""
    defaults = workspace.settings.defaults
    file = workspace.root / SETTINGS_FILE
    known = list(questions(version))
    for question in defaults:
        meant = did_you_mean(question, known)
        if question not in known and meant:
            raise SvcgenError(
                f"`defaults` in {file} names the unknown question `{question}`.",
                meant,
            )
    return defaults


def _refuse_used(name: str, workspace: Workspace) -> None:
    for service in workspace.services:
        if service.name == name:
            raise SvcgenError(
                f'The name "{name}" is used by {service.folder}.',
                "Each service of a workspace needs a name of its own: choose another one.",
            )


def _refuse_no_service(made: Path, version: Version) -> None:
    if not is_service(made):
        raise SvcgenError(
            f"{version.source} writes no service: it lacks {ANSWERS_FILE} or {REGISTRATION_FILE}.",
            "A template of services writes both; use Copier itself for others: copier copy",
        )


def _give_modes(made: Path) -> None:
    """Let who may read the files follow this user's umask, not that of whoever filled the cache.

    Git keeps as little: a file is to be run or it is not.
    """
    umask = os.umask(0)
    os.umask(umask)
    for path in made.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod((0o777 if path.stat().st_mode & 0o100 else 0o666) & ~umask)


def _moved(made: Path, folder: Path) -> NewResult:
    service = read_service(made)
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    try:
        os.rename(made, folder)  # noqa: PTH104 (over an empty folder, or not at all)
    except OSError as error:
        raise SvcgenError(f"{folder} cannot be made: {error.strerror}.") from error
    return NewResult(service.name, folder, service.version, tuple(files))
