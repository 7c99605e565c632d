"""`svcgen rename`: give a service another name, in its files, its callers and the workspace.

The service is rendered with the new name and merged as by `reconfigure`. Each step finds out
whether it is done, so the same command continues after a conflict, and after a killed run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

from svcgen.commands.membership import (
    callers_of,
    edited_settings,
    fleet_of,
    replace_caller,
    restitch,
)
from svcgen.commands.mentions import Mention, find_mentions
from svcgen.commands.renamed_data import has_local_data, rename_data
from svcgen.compose.fleet import FaultsError
from svcgen.errors import SvcgenError, raise_all
from svcgen.files import move_into_place, read_text, write_atomic
from svcgen.gateway.apply import LIMITS_FILE
from svcgen.render.answers import answers_from
from svcgen.render.render import check_answers, derived_answers, questions
from svcgen.render.trust import Allows, never
from svcgen.run.choose import choose_engine
from svcgen.run.engine import Report, silent
from svcgen.service import (
    CALLERS_FILE,
    COMPOSE_FILE,
    OPENAPI_FILE,
    Service,
    client_copy,
    has_template,
    is_name,
    is_service,
)
from svcgen.settings import SETTINGS_FILE
from svcgen.templates.sources import open_source
from svcgen.update.finish import mark_conflicts
from svcgen.update.jobs import plan_updates
from svcgen.update.model import UpdateJob, UpdateOptions, UpdateResult
from svcgen.update.moves import Rename, forms
from svcgen.update.selection import Selection, interrupted_services, recover_service
from svcgen.update.stored_answers import stored_answers
from svcgen.update.transaction import require_no_update_in_progress
from svcgen.update.worker import update_service
from svcgen.workspace import Workspace, find_root, is_stitched, open_alone, survey
from svcgen.yaml_edits import Place, rename_entries

VIRTUAL_ENVIRONMENT = ".venv"  # of Python: its programs have its absolute path in them


@dataclass(frozen=True)
class RenameResult:
    """What was merged and changed.

    `updates` are the merges of the service and of its callers. `changed` are the folder and files
    of the workspace, `steps` what the user has to do. `mentions` are files that still have the old
    name: the user's own text and code. `finished` is false while the service has conflicts.
    """

    old: str
    new: str
    folder: Path
    updates: tuple[UpdateResult, ...] = ()
    changed: tuple[Path, ...] = ()
    steps: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    finished: bool = True


@dataclass
class _Work:
    """A rename in progress, and what it has done."""

    workspace: Workspace
    service: Service
    rename: Rename
    options: UpdateOptions
    updates: list[UpdateResult] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The folder that the service gets: another one when it has the old name."""
        folder = self.service.folder
        return folder.with_name(self.rename.new) if folder.name == self.rename.old else folder


def rename(  # noqa: PLR0913 (what a command takes)
    start: Path,
    old: str,
    new: str,
    *,
    force: bool = False,
    allows: Allows = never,
    report: Report = silent,
) -> RenameResult:
    """Rename a service, or continue that.

    Raises SvcgenError, with nothing changed, when the template refuses the name, when it is used,
    while the service runs, and when a file of the service or of a caller is in no commit, unless
    `force`.
    """
    work = _begin(start, Rename(old, new), UpdateOptions(force=force))
    jobs = _plan(work, start, allows)
    settings = edited_settings(work.workspace, work.service, _entries(work))
    if work.service.name == old:
        result = _merge(jobs.pop(0))
        work.updates.append(replace(result, service=new))
        if result.state == "conflicts":
            mark_conflicts([result])
            return _result(work, work.service.folder, finished=False)
    if settings is not None:
        write_atomic(work.workspace.root / SETTINGS_FILE, settings)
        work.changed.append(work.workspace.root / SETTINGS_FILE)
    _move_folder(work)
    for job in jobs:
        result = _merge(job)
        work.updates.append(result)
        mark_conflicts([result])
        _refresh_copy(work, result.folder)
    _change_workspace(work, report)
    return _result(work, work.folder)


def _begin(start: Path, names: Rename, options: UpdateOptions) -> _Work:
    """Find the service, by its old name or, when a run has merged the new one, by that."""
    workspace = _open(start, names)
    if interrupted := interrupted_services(workspace):
        for folder in interrupted:
            recover_service(folder)
        workspace = _open(start, names)
    found = {service.name: service for service in workspace.services}
    if names.new in found and names.old in found:
        raise SvcgenError(
            f'The name "{names.new}" is used by {found[names.new].folder}.',
            "Each service of a workspace needs its own name: choose another one.",
        )
    begun = names.new in found and _is_left(names, found[names.new], workspace)
    if begun:
        require_no_update_in_progress(found[names.new].folder)
    service = found[names.new] if begun else workspace.service(names.old)
    work = _Work(workspace, service, names, options)
    if not begun:
        _require_new_name(work)
    return work


def _open(start: Path, names: Rename) -> Workspace:
    """Open the workspace, also when a killed run has changed `folders` and not the folder."""
    root = find_root(start.resolve())
    workspace, unreadable = survey(root, planned=root / names.new)
    for _folder, error in unreadable:
        raise error
    for folder in (root / name for name in (names.old, names.new) if is_name(name)):
        known = {service.folder for service in workspace.services}
        if is_service(folder) and folder not in known:
            alone = open_alone(folder).services
            workspace = replace(workspace, services=(*workspace.services, *alone))
    return workspace


def _is_left(names: Rename, service: Service, workspace: Workspace) -> bool:
    """Report whether something of the workspace still has the old name of a renamed service."""
    root, old = workspace.root, names.old
    word = re.compile(rf"(?<![-\w]){re.escape(old)}(?![-\w])")
    stitched = (
        COMPOSE_FILE,
        *(f"gateway/{name}" for name in ("cds.json", LIMITS_FILE, "rds.json")),
    )
    files = [root / file for file in stitched] if is_stitched(root) else []
    files += [each.folder / CALLERS_FILE for each in workspace.services]
    return bool(
        callers_of(old, workspace)
        or service.folder.name == old
        or any(word.search(read_text(file) or "") for file in files)
        or (service.database != "none" and has_local_data(root, old))
    )


def _require_new_name(work: _Work) -> None:
    """Raise SvcgenError when the service cannot get the new name, or cannot be renamed now."""
    service, new = work.service, work.rename.new
    if not (has_template(service.folder) and service.version):
        raise SvcgenError(
            f"{service.folder} has no template, so svcgen does not know where its name is.",
            "Change the name in chart/registration.yaml, chart/Chart.yaml and compose.yaml.",
        )
    version = open_source(service.template).obtain(service.version)
    if "name" not in questions(version):
        raise SvcgenError(
            f"The template of {service.name} does not ask for a name.",
            "Rename its folder, and the `service` in its chart/registration.yaml.",
        )
    check_answers({**stored_answers(service.folder), "name": new}, version)
    if new in work.workspace.settings.external:
        raise SvcgenError(f'"{new}" is an external service in {SETTINGS_FILE}.')
    if work.folder != service.folder and work.folder.exists():
        raise SvcgenError(f"{work.folder} already exists.", "Move it, or choose another name.")
    if service.name in choose_engine(work.workspace.root).state.services:
        raise SvcgenError(f"{service.name} runs.", "Stop the fleet first: svcgen down")


def _plan(work: _Work, start: Path, allows: Allows) -> list[UpdateJob]:
    """Return the merges that are left: of the service, and of its callers with a template.

    Raises SvcgenError with every reason why one cannot be made.
    """
    names, jobs, problems = work.rename, [], []
    wanted: list[tuple[Service, dict[str, Any]]] = []
    if work.service.name == names.old:
        stored = stored_answers(work.service.folder)
        version = open_source(work.service.template).obtain(work.service.version)
        name = {"name": names.new}
        wanted.append((work.service, name | derived_answers(version, stored, name)))
    for caller in callers_of(names.old, work.workspace):
        if names.old not in caller.calls:  # its registration was written by hand
            work.steps.append(f"{caller.name}: {_by_hand(caller, names)}")
            continue
        calls = [names.new if each == names.old else each for each in caller.calls]
        wanted.append((caller, {"calls": calls}))
    for service, answers in wanted:
        data = answers_from("svcgen rename", answers)
        selection = Selection(work.workspace, (service,), (), start.resolve(), everything=False)
        what = replace(names, called=service is not work.service)
        options = replace(work.options, ref=service.version, data=data, rename=what)
        pending, done = plan_updates(selection, options, allows)
        jobs += pending
        problems += [SvcgenError(each.problem, each.advice) for each in done if each.problem]
    raise_all(problems)
    return jobs


def _by_hand(caller: Service, names: Rename) -> str:
    old, new = (forms(name)[1].upper() + "_URL" for name in (names.old, names.new))
    return (
        f"replace {names.old} by {names.new} in `calls` of {caller.registration}, "
        f"and {old} by {new} in its compose.yaml and code"
    )


def _merge(job: UpdateJob) -> UpdateResult:
    result = update_service(job)
    if result.state == "failed":
        raise SvcgenError(result.problem, result.advice)
    return result


def _entries(work: _Work) -> Any:
    """Return the edit of svcgen.yaml: entries by name get the new one, the folder its new path."""

    def edit(text: str, places: Sequence[Place]) -> str:
        names: dict[Place, str] = {}
        for place in places:
            path = Path(place[-1]) if place[0] == "folders" else None
            names[place] = str(path.with_name(work.folder.name)) if path else work.rename.new
        return rename_entries(text, names)

    return edit


def _move_folder(work: _Work) -> None:
    """Rename a folder that is called as the service was."""
    folder = work.service.folder
    if folder == work.folder:
        return
    try:
        move_into_place(folder, work.folder)
    except OSError as error:
        raise SvcgenError(
            f"{folder} cannot be renamed to {work.folder.name}: {error.strerror}.",
            f"Then continue: svcgen rename {work.rename.old} {work.rename.new}",
        ) from error
    work.changed.append(work.folder)
    if (work.folder / VIRTUAL_ENVIRONMENT / "pyvenv.cfg").is_file():
        shutil.rmtree(work.folder / VIRTUAL_ENVIRONMENT)  # `make` creates it again


def _refresh_copy(work: _Work, caller: Path) -> None:
    """Give a caller the document of the service: its paths have the new name."""
    document, copy = work.folder / OPENAPI_FILE, client_copy(caller, work.rename.new)
    if copy.is_file() and document.is_file() and document.read_bytes() != copy.read_bytes():
        write_atomic(copy, document.read_bytes())
        work.changed.append(copy)


def _change_workspace(work: _Work, report: Report) -> None:
    """Change what names the service beside its folder: callers files, stitched files, data."""
    names, root = work.rename, work.workspace.root
    workspace, _unreadable = survey(root)
    work.changed += replace_caller(workspace.services, names.old, names.new)
    conflicts = [each.service for each in work.updates if each.state == "conflicts"]
    if conflicts:
        work.steps.append(f"After the conflicts in {', '.join(conflicts)}: svcgen compose")
    else:
        try:
            work.changed += restitch(fleet_of(workspace))
        except FaultsError as error:
            work.steps.append(f"Then: svcgen compose. Now the services do not fit: {error.problem}")
    generating = [work.folder, *(each.folder for each in work.updates[1:])]
    work.steps += [f"make -C {quote(str(folder))} generate" for folder in dict.fromkeys(generating)]
    if any(each.lock_needed for each in work.updates):
        work.steps.append("make lock, where its dependencies were edited")
    if work.service.database != "none":
        work.steps += rename_data(root, names, report)


def _result(work: _Work, folder: Path, *, finished: bool = True) -> RenameResult:
    folders = (folder, *(each.folder for each in work.updates[1:])) if finished else ()
    return RenameResult(
        old=work.rename.old,
        new=work.rename.new,
        folder=folder,
        updates=tuple(work.updates),
        changed=tuple(dict.fromkeys(work.changed)),
        steps=tuple(work.steps),
        mentions=tuple(find_mentions(work.rename.old, folders)),
        finished=finished,
    )
