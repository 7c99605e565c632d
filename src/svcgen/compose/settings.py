"""svcgen.yaml: what holds for a whole workspace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from svcgen.gateway.settings import GatewaySettings
from svcgen.gateway.strict import StrictModel, Text, read_strictly


class DriftSettings(StrictModel):
    """The key `drift`: managed files that may differ from what the template rendered."""

    allow: Annotated[
        tuple[Text, ...], Field(description="Patterns as in .gitignore, for every service.")
    ] = ()
    services: Annotated[
        dict[Text, tuple[Text, ...]], Field(description="More of them, by service.")
    ] = Field(default_factory=dict)


class Settings(StrictModel):
    """The keys of svcgen.yaml; all may be absent, and so may the file."""

    name: Annotated[
        Text | None,
        Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Compose project; default: folder."),
    ] = None
    folders: Annotated[tuple[Text, ...], Field(description="The services; default: found.")] = ()
    defaults: Annotated[dict[str, Any], Field(description="Answers of the company.")] = Field(
        default_factory=dict
    )
    gateway: GatewaySettings = GatewaySettings()
    services: Annotated[
        dict[str, dict[str, Any]], Field(description="Laid over registrations, by service.")
    ] = Field(default_factory=dict)
    drift: DriftSettings = DriftSettings()
    compositions: Annotated[Any, Field(description="A later version.")] = None
    external: Annotated[Any, Field(description="A later version.")] = None


def read_settings(written: Mapping[str, Any], file: Path) -> Settings:
    """Read what svcgen.yaml holds; StrictError names every key that is unknown or wrong."""
    return read_strictly(Settings, dict(written), str(file))
