"""A template's files and its copier.yml, before anything is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.templates.cache import has_template
from svcgen.templates.copier_yml import asked, read_configuration

QUESTIONS = "copier.yml"


@dataclass(frozen=True)
class SourceTree:
    """A template's folder with its copier.yml, hidden questions included."""

    folder: Path
    questions: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]

    @property
    def suffix(self) -> str:
        """The suffix of files whose text is rendered; empty: all texts are."""
        return str(self.settings.get("_templates_suffix", ".jinja"))

    @property
    def asked(self) -> dict[str, Mapping[str, Any]]:
        """The questions that a user may answer."""
        return asked(self.questions)

    @property
    def root(self) -> str:
        """The subfolder that is rendered; empty: all of it, or a folder that answers choose."""
        root = str(self.settings.get("_subdirectory", "")).strip("/")
        return "" if "{" in root else root

    @cached_property
    def files(self) -> dict[str, Path]:
        """The files of the template, by path below its folder."""
        return below(self.folder / self.root, self.folder)

    @property
    def layers(self) -> dict[str, str]:
        """The folders that become part of a service only as a whole: question -> path."""
        top = {path.removeprefix(f"{self.root}/").partition("/")[0] for path in self.files}
        found = {name: re.fullmatch(r"\{\{ *(\w+) *\}\}", name) for name in sorted(top)}
        prefix = f"{self.root}/" if self.root else ""
        return {match[1]: f"{prefix}{name}" for name, match in found.items() if match}

    @property
    def own(self) -> Mapping[str, Any]:
        """The declaration for svcgen, `_svcgen`."""
        own = self.settings.get("_svcgen") or {}
        return own if isinstance(own, Mapping) else {}


def read_template(folder: Path) -> SourceTree:
    """Read the template in a folder.

    Raises SvcgenError when there is none, or its copier.yml is not a map.
    """
    if not has_template(folder):
        raise SvcgenError(
            f"{folder} holds no template: it has no {QUESTIONS}.",
            "Go to a template's folder, or start one: svcgen template init DIR",
        )
    configuration = read_configuration(folder)
    settings = {name: value for name, value in configuration.items() if name.startswith("_")}
    questions = {
        name: value if isinstance(value, dict) else {"default": value}
        for name, value in configuration.items()
        if name not in settings
    }
    return SourceTree(folder, questions, settings)


def below(folder: Path, base: Path | None = None) -> dict[str, Path]:
    """Return all files and links below a folder by POSIX path, without `.git`."""
    base = base or folder
    return {
        path.relative_to(base).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(base).parts
    }
