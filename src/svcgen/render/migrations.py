"""Run the migrations of a template: the programs that change a service for a newer version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svcgen.render.render import errors_of, render_environment
from svcgen.templates.base import Stage, Version
from svcgen.templates.copier_yml import read_configuration


def migrations_due(old: Version, new: Version) -> bool:
    """Return whether an update from `old` to `new` has migrations to run.

    A migration with a version is due when that version is later than `old` and not later than
    `new`; one without a version is due at every update. Copier decides it in the same way. Raises
    SvcgenError for a declaration that it cannot read.
    """
    if old.name == new.name or not read_configuration(new.folder).get("_migrations"):
        return False
    with errors_of(new):
        from svcgen.render.worker import ExportedTemplate

        before, after = ExportedTemplate.of(old), ExportedTemplate.of(new)
        return any(after.migration_tasks(stage, before) for stage in ("before", "after"))


def migrate(
    old: Version, new: Version, folder: Path, answers: Mapping[str, Any], stage: Stage
) -> None:
    """Run the migrations of one stage in a folder. Raises SvcgenError when one fails."""
    with render_environment(new, programs=True), errors_of(new):
        from svcgen.render.worker import ExportedTemplate, ExportedWorker

        template = ExportedTemplate.of(new)
        with ExportedWorker.of(template, folder, answers, unsafe=True) as worker:
            worker.migrate(ExportedTemplate.of(old), stage)
