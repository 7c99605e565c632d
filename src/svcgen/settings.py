"""The gateway's own settings: the key `gateway` of svcgen.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from svcgen.strict import Duration, StrictModel, Text, read_strictly
from svcgen.units import SIZE_PATTERN, parse_duration, parse_size

Size = Annotated[Text, Field(pattern=SIZE_PATTERN, examples=["1MiB"])]


def _some(text: str) -> str:
    if parse_size(text) == 0:
        raise ValueError("must be larger than nothing")
    return text


class GatewaySettings(StrictModel):
    """What holds for every route that does not say otherwise, and for the listener."""

    port: Annotated[
        int, Field(strict=True, ge=1, le=65535, description="Port of this machine.")
    ] = 8000
    timeout: Annotated[Duration, Field(description="Of a route that names none.")] = "10s"
    max_body: Annotated[
        Size, AfterValidator(_some), Field(description="Larger requests get 413.")
    ] = "1MiB"

    @property
    def timeout_ms(self) -> int:
        """Milliseconds until a route without a timeout of its own answers 504."""
        return parse_duration(self.timeout)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of the largest request body that is let through."""
        return parse_size(self.max_body)


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
