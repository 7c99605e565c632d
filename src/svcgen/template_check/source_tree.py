"""A template as it lies in a folder, and the rules for it as it stands: nothing is rendered."""

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
    """A template's folder with what its copier.yml says, hidden questions included."""

    folder: Path
    questions: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]

    @property
    def suffix(self) -> str:
        """What the name of a file ends in whose text is rendered; empty: all texts are."""
        return str(self.settings.get("_templates_suffix", ".jinja"))

    @property
    def asked(self) -> dict[str, Mapping[str, Any]]:
        """The questions that a user may answer."""
        return asked(self.questions)

    @property
    def root(self) -> str:
        """The folder, below the template's, that holds what is rendered.

        Empty: all of it, or a folder that answers choose.
        """
        root = str(self.settings.get("_subdirectory", "")).strip("/")
        return "" if "{" in root else root

    @cached_property
    def files(self) -> dict[str, Path]:
        """What the template consists of, by path below its folder."""
        return below(self.folder / self.root, self.folder)

    @property
    def layers(self) -> dict[str, str]:
        """The folders that fall into a service or vanish as a whole: question -> path."""
        top = {path.removeprefix(f"{self.root}/").partition("/")[0] for path in self.files}
        found = {name: re.fullmatch(r"\{\{ *(\w+) *\}\}", name) for name in sorted(top)}
        prefix = f"{self.root}/" if self.root else ""
        return {match[1]: f"{prefix}{name}" for name, match in found.items() if match}

    @property
    def own(self) -> Mapping[str, Any]:
        """What copier.yml declares for svcgen alone."""
        own = self.settings.get("_svcgen") or {}
        return own if isinstance(own, Mapping) else {}


def read_template(folder: Path) -> SourceTree:
    """Read the template in a folder.

    Raises SvcgenError when there is none, or its copier.yml is no map of settings and questions.
    """
    if not has_template(folder):
        raise SvcgenError(
            f"{folder} holds no template: it has no {QUESTIONS}.",
            "Go to a template's folder, or start one: svcgen template init DIR",
        )
    said = read_configuration(folder)
    settings = {name: value for name, value in said.items() if name.startswith("_")}
    questions = {
        name: value if isinstance(value, dict) else {"default": value}
        for name, value in said.items()
        if name not in settings
    }
    return SourceTree(folder, questions, settings)


def below(folder: Path, base: Path | None = None) -> dict[str, Path]:
    """List all files and links below a folder by POSIX path; not what git keeps for itself."""
    base = base or folder
    return {
        path.relative_to(base).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and ".git" not in path.relative_to(base).parts
    }
