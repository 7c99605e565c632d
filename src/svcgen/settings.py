"""svcgen.yaml: the one module that reads it, strictly, for every command."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from svcgen.addresses import forbidden_reason
from svcgen.gateway_settings import GatewaySettings
from svcgen.service import NAME_PATTERN, NAME_RULE, Service, url_variable
from svcgen.strict import StrictModel, Text, matching, read_strictly
from svcgen.yaml_files import read_yaml

SETTINGS_FILE = "svcgen.yaml"


EVERY_SERVICE = "*"
_VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
SET_BY_ENGINE = frozenset({"PORT", "HOST", "DATABASE_URL"})


def _not_set_by_engine(name: str) -> str:
    if name in SET_BY_ENGINE:
        raise ValueError(f"must not contain {name}: the engine sets it")
    return name


VariableName = Annotated[
    Text,
    matching(_VARIABLE_NAME, "must be the name of a variable such as LOG_LEVEL"),
    AfterValidator(_not_set_by_engine),
]
VariableValue = Annotated[Text, matching(r"^[^\x00]*$", "must not contain a NUL")]
Variables = dict[VariableName, VariableValue | None]


class ProgramSettings(StrictModel):
    """An entry of `programs`: what the local engine runs beside the services."""

    command: Annotated[
        tuple[Text, ...], Field(min_length=1, description="The program and its arguments.")
    ]
    port: Annotated[
        int, Field(strict=True, ge=0, le=65535, description="Ready when it accepts connections.")
    ] = 0
    environment: Annotated[Variables, Field(description="Null: from the shell.")] = Field(
        default_factory=dict
    )


ProgramName = Annotated[Text, matching(f"^{NAME_PATTERN}$", NAME_RULE)]


# No `$`, which Compose would replace; neither credentials nor a query, as services log the URL.
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_BASE_URL = re.compile(
    rf"https?://({_HOST})(?::([0-9]{{1,5}}))?(?:/[A-Za-z0-9._~!&'()*+,;=:@%/-]*)?"
)


def _base_url(text: str) -> str:
    found = _BASE_URL.fullmatch(text)
    if not found or int(found[2] or 1) not in range(1, 65_536):
        raise ValueError(
            "must be an http or https URL without user, query and fragment, for example "
            "https://payments.example.com/v1"
        )
    if reason := forbidden_reason(found[1]):
        raise ValueError(f"has the host {found[1]}, {reason}, which svcgen refuses")
    return text


class ExternalSettings(StrictModel):
    """An entry of `external`: a service that is not part of the workspace.

    gateway.external reads `routes`, `health` and `tls`, which are as in the file.
    """

    url: Annotated[Text, Field(description="Base URL."), AfterValidator(_base_url)]
    document: Annotated[Text, Field(description="Path of its OpenAPI document.")] = ""
    routes: Annotated[Any, Field(description="At the gateway, as in a registration.")] = None
    health: Annotated[Any, Field(description="How the gateway asks whether it is ready.")] = None
    tls: Annotated[Any, Field(description="How the gateway verifies an https URL.")] = None


def _no_engine_variable(name: str) -> str:
    _not_set_by_engine(url_variable(name))
    return name


ExternalName = Annotated[ProgramName, AfterValidator(_no_engine_variable)]


class DriftSettings(StrictModel):
    """The key `drift`: managed files that may differ from what the template rendered."""

    allow: Annotated[
        tuple[Text, ...], Field(description="Patterns as in .gitignore, for every service.")
    ] = ()
    services: Annotated[
        dict[Text, tuple[Text, ...]], Field(description="Further patterns, by service.")
    ] = Field(default_factory=dict)


def _defaults_of_questions(defaults: dict[str, Any]) -> dict[str, Any]:
    for key in defaults:
        if key.startswith("_"):
            raise ValueError(
                f"must not contain `{key}`: a template sets it, and no question asks it"
            )
        if key == "name":
            raise ValueError("must not contain `name`: each service needs its own name")
    return defaults


class Settings(StrictModel):
    """The settings of a workspace: all keys of svcgen.yaml, each with its default."""

    name: Annotated[
        Text | None,
        matching(r"^[a-z0-9][a-z0-9_-]*$", "must be lower-case letters, digits, - and _"),
        Field(description="Compose project; default: folder."),
    ] = None
    folders: Annotated[tuple[Text, ...], Field(description="The services; default: found.")] = ()
    defaults: Annotated[
        dict[Text, Any],
        Field(description="Default answers of new services."),
        AfterValidator(_defaults_of_questions),
    ] = Field(default_factory=dict)
    gateway: GatewaySettings = GatewaySettings()
    services: Annotated[
        dict[Text, dict[str, Any]], Field(description="Merged over registrations, by service.")
    ] = Field(default_factory=dict)
    environment: Annotated[
        dict[Text, Variables],
        Field(description="Of services, in both engines, by service; null: from the shell."),
    ] = Field(default_factory=dict)
    programs: Annotated[
        dict[ProgramName, ProgramSettings],
        Field(description="Further programs of the local engine, by name."),
    ] = Field(default_factory=dict)
    external: Annotated[
        dict[ExternalName, ExternalSettings],
        Field(description="Services that are not part of the workspace, by name."),
    ] = Field(default_factory=dict)
    drift: DriftSettings = DriftSettings()
    compositions: Annotated[Any, Field(description="A later version.")] = None


def places_of(service: Service, root: Path) -> tuple[tuple[str, ...], ...]:
    """Return where svcgen.yaml can name a service: its entries by name, and its folder."""
    folder = os.path.relpath(service.folder, root)
    by_name = (
        *(("services",), ("environment",), ("drift", "services")),
        *(("gateway", "claims"), ("gateway", "unrouted")),
    )
    listed = (folder, f"{folder}/", f"./{folder}", f"./{folder}/")
    return (
        *((*keys, service.name) for keys in by_name),
        *(("folders", entry) for entry in listed),
    )


def read_settings(root: Path) -> Settings:
    """Read the svcgen.yaml of a workspace; without the file every setting is its default.

    Raises StrictError that names each key that is unknown or wrong, and SvcgenError for a file
    that is not YAML.
    """
    path = root / SETTINGS_FILE
    if not os.path.lexists(path):
        return Settings()
    return settings_of(read_yaml(path), path)


def settings_of(content: object, path: Path) -> Settings:
    """Return the settings that the content of a svcgen.yaml means; raise StrictError."""
    return read_strictly(Settings, {} if content is None else content, str(path))
