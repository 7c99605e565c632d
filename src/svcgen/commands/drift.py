"""`svcgen drift`: find managed files that differ from the template, and restore them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.render.trust import Allows, may_run, never
from svcgen.service import Service, has_template
from svcgen.settings import SETTINGS_FILE
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import matcher
from svcgen.templates.sources import open_source
from svcgen.update.drift import MISSING, find_drift
from svcgen.update.pool import in_processes
from svcgen.update.repository import repository_of, require_full_checkout
from svcgen.update.restore import drift_diff, restore
from svcgen.update.selection import Selection
from svcgen.workspace import Workspace, find_services

_FEW = 4  # services: fewer are compared sooner than processes start


@dataclass(frozen=True)
class Difference:
    """A file that differs; `state` is changed, mode, missing or blocked (another file is there)."""

    path: str
    state: str
    diff: str = ""


@dataclass(frozen=True)
class DriftResult:
    """The result for one service: files that differ, and those that svcgen.yaml allows to differ.

    `fixed` are the files that were restored. `error` says why the service was not compared, or not
    restored.
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
class DriftOptions:
    """What to do about a file that differs: show it, restore it, even if an edit is lost."""

    diff: bool = False
    fix: bool = False
    force: bool = False
    allows: Allows = never  # whether a template's own programs may run


@dataclass(frozen=True)
class _DriftJob:
    service: Service
    version: Version
    allowed: tuple[str, ...]
    options: DriftOptions
    prefix: str
    trusted: bool

    def result(self, error: str = "") -> DriftResult:
        """Return a result for this service, before it is compared or without that."""
        return DriftResult(self.service.name, self.version.name, self.service.folder, error=error)


def drift(selection: Selection, options: DriftOptions) -> tuple[DriftResult, ...]:
    """Compare services with renders of their template versions; restore files on request.

    A service that cannot be compared or restored has an error in its result, and the others go on.
    Raises SvcgenError when svcgen.yaml is faulty.
    """
    allowed = _allowed_patterns(selection.workspace)
    results = [
        DriftResult(folder.name, "", folder, error=error.sentence)
        for folder, error in selection.unreadable
    ]
    jobs = []
    for service in selection.services:
        if selection.everything and not has_template(service.folder):
            continue  # the caller names it: `without_template`
        try:
            version = _own_version(service)
            trusted = may_run(version, options.allows)
        except SvcgenError as error:
            result = DriftResult(service.name, service.version, service.folder)
            results.append(replace(result, error=error.sentence))
            continue
        # A worker process cannot get a function: what it would return is known here.
        plain = replace(options, allows=never)
        prefix = selection.prefix(service)
        jobs.append(_DriftJob(service, version, allowed(service.name), plain, prefix, trusted))
    if len(jobs) < _FEW:
        results += map(_compare, jobs)
    else:
        results += in_processes(
            _compare, jobs, lambda job, why: job.result(f"It could not be compared: {why}.")
        )
    return tuple(sorted(results, key=lambda result: (result.service, str(result.folder))))


def _allowed_patterns(workspace: Workspace) -> Callable[[str], tuple[str, ...]]:
    """Return a function from a service's name to the patterns of files that may differ in it."""
    settings = workspace.settings.drift
    # The workspace of a selection may have only the service that the command works on.
    services, unreadable = find_services(workspace.root, workspace.settings)
    names = [service.name for service in services]
    unknown = next((name for name in settings.services if name not in names), None)
    if unknown and not unreadable:
        raise SvcgenError(
            f"{SETTINGS_FILE}: drift.services names {unknown}, which is not a service here.",
            did_you_mean(unknown, names, "`svcgen list` shows the services."),
        )
    try:
        matcher([*settings.allow, *chain(*settings.services.values())])
    except SvcgenError as error:
        raise SvcgenError(f"{SETTINGS_FILE}: drift: {error.problem}", error.advice) from error
    return lambda name: (*settings.allow, *settings.services.get(name, ()))


def without_template(selection: Selection) -> tuple[str, ...]:
    """Return the names of the services of a workspace that have no template to compare with."""
    services = selection.services if selection.everything else ()
    return tuple(each.name for each in services if not has_template(each.folder))


def _own_version(service: Service) -> Version:
    if not has_template(service.folder):
        raise SvcgenError("It has no .copier-answers.yml, so it has no template.")
    if not service.version:
        raise SvcgenError(
            "It was created from a folder without versions, so its render is not known.",
            "Keep the template in git.",
        )
    return open_source(service.template).obtain(service.version)


def _compare(job: _DriftJob) -> DriftResult:
    """Compare one service, as a worker process does it."""
    folder, options = job.service.folder, job.options
    result = job.result()
    try:
        is_allowed = matcher(job.allowed)
        differences = find_drift(folder, job.version, trusted=job.trusted)
        missing = any(file.state == MISSING for file in differences)
        if missing and (repository := repository_of(folder)):
            require_full_checkout(repository, folder)  # they may only be not checked out
        files = [file for file in differences if not is_allowed(file.path)]
        shown = [
            Difference(
                file.path,
                file.state,
                drift_diff(job.version, file, job.prefix) if options.diff else "",
            )
            for file in files
        ]
        allowed = tuple(file.path for file in differences if is_allowed(file.path))
        result = replace(result, files=tuple(shown), allowed=allowed)
        if options.fix and files:
            restore(folder, job.version, files, force=options.force)
            result = replace(result, fixed=tuple(file.path for file in files))
    except SvcgenError as error:
        return replace(result, error=error.sentence)
    except OSError as error:  # a full disk, a folder without permission: other services go on
        return replace(result, error=f"It could not be compared: {error}.")
    return result
