"""The key `environment` of svcgen.yaml in Docker: a Compose file for each service that it names."""

from __future__ import annotations

from svcgen.compose.fleet import Fleet
from svcgen.settings import EVERY_SERVICE, SETTINGS_FILE, Variables
from svcgen.yaml_files import as_yaml

_HEADER = f"# Written by `svcgen compose`: `environment` of {SETTINGS_FILE}."


def environment_files(fleet: Fleet) -> dict[str, str]:
    """Return, by service, a Compose file with its variables of svcgen.yaml.

    Compose takes a variable without a value from the shell, as the local engine does.
    """
    settings, files = fleet.settings.environment, {}
    for member in fleet.members:
        found: Variables = {**settings.get(EVERY_SERVICE, {}), **settings.get(member.name, {})}
        if found:
            values = {key: value and value.replace("$", "$$") for key, value in found.items()}
            content = {"services": {member.name: {"environment": dict(sorted(values.items()))}}}
            files[member.name] = f"{_HEADER}\n{as_yaml(content)}"
    return files
