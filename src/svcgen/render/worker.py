"""Copier's worker for a version that svcgen has exported: plain files, with their place in git.

Copier clones a template to find its commit. Here the commit and the address are known, and given to
the renderer as Copier gives them: `_copier_answers._commit`, `._src_path`, `_copier_conf`.
Copier's worker and template are not public: this module is the only one that uses them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from copier import Phase, load_settings
from copier._main import Worker, as_operation
from copier._settings import SettingsModel
from copier._template import Task, Template
from copier._user_data import CAST_STR_TO_NATIVE, parse_yaml_list

from svcgen.errors import SvcgenError
from svcgen.templates.base import Stage, Version
from svcgen.templates.versions import described, pep440


class ExportedTemplate(Template):
    """A version's folder, which Copier takes for a clone of the source at that version."""

    exported: Version
    extensions_allowed: bool

    @classmethod
    def of(cls, version: Version, *, extensions_allowed: bool = True) -> ExportedTemplate:
        """Return the template of a version; without extensions only its texts are rendered."""
        template = cls(version.source, ref=version.name or None)
        template.exported = version
        template.extensions_allowed = extensions_allowed
        return template

    @cached_property
    def local_abspath(self) -> Path:
        """The files."""
        return self.exported.folder.resolve()

    @property
    def vcs(self) -> None:
        """No repository: the folder has files only."""
        return

    @cached_property
    def commit(self) -> str | None:
        """What a service records as `_commit`."""
        return self.exported.name or None

    @cached_property
    def commit_hash(self) -> str | None:
        """The full commit, None when it is not known."""
        return self.exported.commit or None

    @cached_property
    def version(self) -> Any:
        """The version by PEP 440; after a tag it is a post-release, as Copier has it."""
        tag, commits, commit = described(self.exported.name)
        return pep440(f"{tag}.post{commits}+{commit}" if commit else tag)

    @cached_property
    def jinja_extensions(self) -> tuple[str, ...]:
        """The extensions, when they may run."""
        return super().jinja_extensions if self.extensions_allowed else ()


class ExportedWorker(Worker):
    """Copier's worker on an `ExportedTemplate`."""

    exported: ExportedTemplate

    @classmethod
    def of(  # noqa: PLR0913 (what Copier is called with)
        cls,
        template: ExportedTemplate,
        folder: Path,
        answers: Mapping[str, Any],
        *,
        unsafe: bool,
        defaults: bool = True,
        user_defaults: Mapping[str, Any] | None = None,
    ) -> ExportedWorker:
        """Return the worker that renders into a folder from these answers.

        A user's own Copier settings are not read: two machines would differ.
        """
        worker = cls(
            src_path=template.url,
            dst_path=folder,
            vcs_ref=template.ref,
            data=dict(answers),
            settings=SettingsModel(),
            defaults=defaults,
            user_defaults=dict(user_defaults or {}),
            quiet=True,
            unsafe=unsafe,
        )
        worker.exported = template
        return worker

    @property
    def template(self) -> Template:
        """The version."""
        return self.exported

    def rendered(self, text: str) -> str:
        """Ask the questions, and render one text with their answers; nothing is written."""
        with Phase.use(Phase.PROMPT):
            self._ask()
        return self._render_string(text)

    @as_operation("update")
    def migrate(self, old: ExportedTemplate, stage: Stage) -> None:
        """Run the template's migrations of one stage in the folder."""
        with Phase.use(Phase.PROMPT):
            self._ask()
        with Phase.use(Phase.MIGRATE):
            self._execute_tasks(self.exported.migration_tasks(stage, old))

    def _execute_tasks(self, tasks: Sequence[Task]) -> None:
        """Run tasks; what they print goes to standard error, it is not the result of a command."""
        with _stdout_to_stderr():
            super()._execute_tasks(tasks)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def is_of_type(kind: str, answer: Any, *, several: bool) -> bool:
    """Report whether Copier converts an answer to a type; of `several`, whether it does each."""
    cast = CAST_STR_TO_NATIVE[kind]
    try:
        listed = several and isinstance(answer, str)
        items = parse_yaml_list(answer) if listed else answer if several else [answer]
        for item in items:
            if isinstance(item, str) or kind not in {"json", "yaml"}:
                cast(item)
    except Exception:  # Copier's and PyYAML's
        return False
    return answer is not None or kind in {"json", "yaml"}


def user_trusts(source: str) -> bool:
    """Return whether the user's Copier settings trust a source: by name, or by a prefix/.

    Raises SvcgenError when the settings cannot be read.
    """
    plain = not any(part in source for part in ("..", "%", "\\"))
    try:
        trusted = [os.path.expanduser(entry) for entry in load_settings().trust]  # noqa: PTH111 (URLs)
    except Exception as error:  # YAML that a person wrote
        raise SvcgenError(f"Copier's settings cannot be read: {error}") from error
    return any(
        source == entry or (entry.endswith("/") and plain and source.startswith(entry))
        for entry in trusted
    )
