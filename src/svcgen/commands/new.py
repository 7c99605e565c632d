"""`svcgen new`: create a service from a template."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from svcgen.compose.callees import require_known_apis, ways_out
from svcgen.compose.callers import callers_with, current_callers, read_callers
from svcgen.errors import SvcgenError, did_you_mean
from svcgen.files import move_into_place, staged, write_atomic
from svcgen.render.answers import Answers, answers_from, require_types, sources_named
from svcgen.render.refusals import require_known_questions
from svcgen.render.render import (
    check_answers,
    questions,
    render_version,
)
from svcgen.render.trust import Allows, may_run
from svcgen.service import (
    ANSWERS_FILE,
    CALLERS_FILE,
    REGISTRATION_FILE,
    Service,
    has_template,
    is_service,
    read_service,
)
from svcgen.settings import SETTINGS_FILE
from svcgen.templates.base import Version
from svcgen.templates.sources import open_source
from svcgen.workspace import LEVELS, SKIPPED, Workspace, find_root, is_root, survey

_PLAIN = re.compile("[a-z][-a-z0-9]*")


@dataclass(frozen=True)
class NewResult:
    """The new service: its folder, and its files relative to it, sorted.

    `changed` are files of the services that it calls: they name it as a caller now. `unknown` says
    what to do about those that the workspace does not have.
    """

    name: str
    folder: Path
    version: str
    files: tuple[str, ...]
    changed: tuple[Path, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Template:
    """Which template, svcgen's by default, and which version of it, the newest by default.

    `trusts` decides about a template that runs its own programs; it gets a sentence about them.
    """

    source: str = ""
    ref: str = ""
    trusts: Allows = lambda _wish: False


OURS = Template()


def new_service(
    folder: Path,
    given: Answers,
    template: Template = OURS,
    *,
    ask: bool = False,
) -> NewResult:
    """Render a service in a staging directory, then move it into place in one step.

    A template need not ask for a `name`; then the folder has it. The callers files of the services
    that it calls name it then. Raises SvcgenError, with nothing written, when the folder or the
    name in the workspace already exists, or would not be found in it, a question is unknown, the
    template is not trusted or refuses an answer.
    """
    folder = folder.absolute()
    answers = dict(given.values)
    name = str(answers.get("name", folder.name))
    version = open_source(template.source).obtain(template.ref)
    if "name" not in questions(version):
        answers.pop("name", None)
    require_known_questions(answers, version)
    require_types(given, version)
    if not template.source and (name in SKIPPED or not _PLAIN.fullmatch(name)):
        with sources_named(given.sources):  # before it becomes a path; the render checks the rest
            check_answers(answers, version)
    workspace = _open_for(folder, name)
    defaults = default_answers(workspace, version)
    require_types(defaults, version)
    trusted = may_run(version, template.trusts)
    with staged(folder.parent) as staging, sources_named(given.over(defaults).sources):
        made = render_version(
            version,
            staging / folder.name,
            answers,
            trusted=trusted,
            ask=ask,
            defaults=defaults.values,
        )
        if not (is_service(made) and has_template(made)):
            raise SvcgenError(
                f"{version.source} does not write a service: it lacks {ANSWERS_FILE} or "
                f"{REGISTRATION_FILE}.",
                f"Create it with Copier: copier copy {version.source} {folder.name}\n"
                f"Then svcgen can update it by its folder: svcgen update {folder.name}",
            )
        _apply_umask(made)
        service = read_service(made)
        require_known_apis(made, service.calls, workspace.root, workspace.settings)
        callers = callers_with(service.name, service.calls, workspace.services)
        own = [each.name for each in workspace.services if service.name in each.calls]
        if text := current_callers(read_callers(made), own, ()):
            write_atomic(made / CALLERS_FILE, text)
        files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
        try:
            move_into_place(made, folder)
        except OSError as error:
            raise SvcgenError(f"{folder} cannot be made: {error.strerror}.") from error
    for path, text in callers.items():
        write_atomic(path, text)
    unknown = _unknown_callees(service, workspace)
    return NewResult(service.name, folder, version.name, tuple(files), tuple(callers), unknown)


def _unknown_callees(service: Service, workspace: Workspace) -> tuple[str, ...]:
    known = {each.name for each in workspace.services} | workspace.settings.external.keys()
    return tuple(
        f'"{name}" is not in this workspace. {ways_out(name, known)}'
        for name in service.calls
        if name not in known
    )


def is_empty_folder(folder: Path) -> bool:
    """Report whether a path is a folder without entries."""
    return folder.is_dir() and not any(folder.iterdir())


def workspace_of(folder: Path) -> Workspace:
    """Open the workspace of a new service, which `folders` in svcgen.yaml may list already.

    Raises SvcgenError when svcgen would not find the service in it. A workspace without a mark is
    the current directory.
    """
    here = Path.cwd()
    marked = is_root(find_root(folder.parent.resolve()))
    start = here if folder.is_relative_to(here) and not marked else folder.parent
    workspace, unreadable = survey(start, planned=folder)
    for _folder, error in unreadable:
        raise error
    root, listed = workspace.root, workspace.settings.folders
    if not listed:
        _require_found(root, folder)
        if folder.is_relative_to(here):
            _require_found(here, folder)
    elif folder not in {root / name for name in listed}:
        new = os.path.relpath(folder, root)
        raise SvcgenError(
            f"`folders` in {root / SETTINGS_FILE} does not list {new}: svcgen would not find the "
            "service.",
            f"Add it to `folders` first, as: - {new}",
        )
    return workspace


def _require_found(root: Path, folder: Path) -> None:
    parts = Path(os.path.relpath(folder, root)).parts
    skipped = [part for part in parts if part in SKIPPED or (part.startswith(".") and part != "..")]
    if skipped or len(parts) > LEVELS:
        why = f"svcgen skips {skipped[0]}/" if skipped else f"svcgen searches {LEVELS} levels"
        raise SvcgenError(
            f"svcgen would not find a service in {Path(*parts)}: {why} below {root}.",
            f"Choose another folder, such as {folder.name}, or list the folders of all services in "
            f"{SETTINGS_FILE}: `folders`",
        )


def _open_for(folder: Path, name: str) -> Workspace:
    """Open the workspace of a new service; raise SvcgenError when its folder or name exists."""
    for parent in folder.parents:
        if is_service(parent):
            raise SvcgenError(
                f"{folder} is inside the service {parent}: svcgen would not find it.",
                f"Choose a folder beside it: svcgen new {name} {parent.parent / name}",
            )
    if folder.is_symlink() or (folder.exists() and not is_empty_folder(folder)):
        raise SvcgenError(
            f"{folder} already exists.",
            f"Choose another folder: svcgen new {name} OTHER-FOLDER",
        )
    workspace = workspace_of(folder)
    for service in workspace.services:
        if service.name == name:
            raise SvcgenError(
                f'The name "{service.name}" is used by {service.folder}.',
                "Each service of a workspace needs its own name: choose another one.",
            )
    return workspace


def default_answers(workspace: Workspace, version: Version) -> Answers:
    """Return the `defaults` of svcgen.yaml for questions of this template.

    They may answer questions of other templates too, which this one may compute.
    """
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
    asked = {question: answer for question, answer in defaults.items() if question in known}
    return answers_from(f"`defaults` in {file}", asked)


def _apply_umask(made: Path) -> None:
    """Set the modes by this user's umask; the cache may be another user's.

    Git keeps as little: a file is executable or it is not.
    """
    umask = os.umask(0)
    os.umask(umask)
    for path in made.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod((0o777 if path.stat().st_mode & 0o100 else 0o666) & ~umask)
