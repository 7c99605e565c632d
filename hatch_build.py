"""Writes the template's version into the wheel: there is no git where a wheel is installed."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateVersion(BuildHookInterface[Any]):
    """Adds `svcgen/_template/VERSION` to the wheel, and `TEMPLATE_VERSION` to the sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file; an editable install reads the version from git instead."""
        if version == "editable":
            return
        name = "svcgen/_template/VERSION" if self.target_name == "wheel" else "TEMPLATE_VERSION"
        build_data["force_include"][str(self._written())] = name

    def _written(self) -> Path:
        carried = Path(self.root, "TEMPLATE_VERSION")
        if carried.is_file():  # the wheel is built from an sdist, which has no git
            return carried
        file = Path(self.directory, "TEMPLATE_VERSION")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._version() + "\n", encoding="utf-8")
        return file

    def _version(self) -> str:
        """Ask the code that is packaged: a release where the template is equal to it."""
        sys.path.insert(0, str(Path(self.root, "src")))
        from svcgen.templates.sources import template_version

        return template_version()
