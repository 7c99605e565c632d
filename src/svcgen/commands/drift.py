"""`svcgen drift`: managed files that are not as their template version rendered them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.render.trust import Allows, may_run, never
from svcgen.service import Service
from svcgen.settings import SETTINGS_FILE
from svcgen.templates.base import Version
from svcgen.templates.patterns import matcher
from svcgen.templates.sources import open_source
from svcgen.update.drift import MISSING, Drifted, drifted
from svcgen.update.pool import in_processes
from svcgen.update.repository import refuse_sparse, repository_of
from svcgen.update.restore import restore, unified
from svcgen.update.selection import Selection
from svcgen.workspace import Workspace, find_services

_FEW = 4  # services: starting processes would take longer than looking at so few


@dataclass(frozen=True)
class Difference:
    """A file that differs; `state` is changed, mode, missing, or blocked (by what is there)."""

    path: str
    state: str
    diff: str = ""


@dataclass(frozen=True)
class Looked:
    """What was found in one service: files that differ, and those that svcgen.yaml allows to.

    `fixed` are the files that were restored; `error` says why nothing is known, or was restored.
    """

    service: str
    version: str
    folder: Path
    files: tuple[Difference, ...] = ()
    allowed: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    error: str = ""

    @property
    def left(self) -> bool:
        """Whether a file still differs."""
        return len(self.files) > len(self.fixed)


@dataclass(frozen=True)
class How:
    """What is done about a file that differs: shown, restored, even where an edit is lost by it."""

    diff: bool = False
    fix: bool = False
    force: bool = False
    allows: Allows = never  # whether a template's own programs may run


@dataclass(frozen=True)
class _Job:
    service: Service
    version: Version
    allowed: tuple[str, ...]
    how: How
    place: str
    trusted: bool


def drift(selection: Selection, how: How) -> tuple[Looked, ...]:
    """Compare services with what their own template versions rendered, and restore them if told.

    A service that cannot be compared or restored says why, and the others go on. Raises
    SvcgenError when svcgen.yaml is faulty.
    """
    allow = _allow_list(selection.workspace)
    found = [_failed(folder.name, folder, error) for folder, error in selection.unreadable]
    jobs = []
    for service in selection.services:
        try:
            jobs.append(_job(service, selection.place(service), allow(service.name), how))
        except SvcgenError as error:
            found.append(_failed(service.name, service.folder, error, service.version))
    found += map(_look, jobs) if len(jobs) < _FEW else in_processes(_look, jobs, _broken_off)
    return tuple(sorted(found, key=lambda one: (one.service, str(one.folder))))


def _allow_list(workspace: Workspace) -> Callable[[str], tuple[str, ...]]:
    """Return what gives the patterns of files that may differ in a service of this name."""
    allowed = workspace.settings.drift
    # The workspace of a selection may have only the service that the command is about.
    services, unreadable = find_services(workspace.root, workspace.settings)
    if not unreadable:
        _refuse_unknown(allowed.services, [service.name for service in services])
    try:
        matcher([*allowed.allow, *chain(*allowed.services.values())])
    except SvcgenError as error:
        raise SvcgenError(f"{SETTINGS_FILE}: drift: {error.problem}", error.advice) from error
    return lambda name: (*allowed.allow, *allowed.services.get(name, ()))


def _refuse_unknown(named: Iterable[str], names: Sequence[str]) -> None:
    for name in named:
        if name not in names:
            raise SvcgenError(
                f"{SETTINGS_FILE}: drift.services names {name}, which is no service here.",
                did_you_mean(name, names, "`svcgen list` shows them."),
            )


def _job(service: Service, place: str, allowed: tuple[str, ...], how: How) -> _Job:
    version = _own_version(service)
    trusted = may_run(version, how.allows)
    # A worker process is given no function: what it answers is known here.
    return _Job(service, version, allowed, replace(how, allows=never), place, trusted)


def _own_version(service: Service) -> Version:
    if not service.version:
        raise SvcgenError(
            "It was made from a folder without versions: what that rendered then is not known.",
            "Keep the template in git.",
        )
    return open_source(service.template).obtain(service.version)


def _look(job: _Job) -> Looked:
    """Look at one service, as a worker process does it."""
    looked = Looked(job.service.name, job.version.name, job.service.folder)
    try:
        allowed = matcher(job.allowed)
        differ = drifted(job.service.folder, job.version, trusted=job.trusted)
        _refuse_part(job.service.folder, differ)
        files = [one for one in differ if not allowed(one.path)]
        passed = tuple(one.path for one in differ if allowed(one.path))
        shown = tuple(_difference(job, one) for one in files)
        looked = replace(looked, files=shown, allowed=passed)
        if job.how.fix and files:
            restore(job.service.folder, job.version, files, force=job.how.force)
            looked = replace(looked, fixed=tuple(one.path for one in files))
    except SvcgenError as error:
        return replace(looked, error=error.sentence)
    except OSError as error:  # a full disk, a folder that is closed: other services go on
        return replace(looked, error=f"It could not be compared: {error}.")
    return looked


def _refuse_part(folder: Path, differ: Iterable[Drifted]) -> None:
    """Refuse a service whose missing files are only not checked out."""
    missing = any(one.state == MISSING for one in differ)
    if missing and (repository := repository_of(folder)):
        refuse_sparse(repository, folder)


def _difference(job: _Job, file: Drifted) -> Difference:
    diff = unified(job.version, file, job.place) if job.how.diff else ""
    return Difference(file.path, file.state, diff)


def _broken_off(job: _Job, why: str) -> Looked:
    about = (job.service.name, job.version.name, job.service.folder)
    return Looked(*about, error=f"It could not be compared: {why}.")


def _failed(name: str, folder: Path, error: SvcgenError, version: str = "") -> Looked:
    return Looked(name, version, folder, error=error.sentence)
