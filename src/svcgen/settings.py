"""svcgen.yaml: the one module that reads it, strictly, for every command."""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from svcgen.addresses import forbidden_reason
from svcgen.issuer_settings import IssuerName, IssuerSettings
from svcgen.service import NAME_PATTERN, NAME_RULE, Service, url_variable
from svcgen.strict import (
    StrictModel,
    Text,
    Timeout,
    matching,
    read_strictly,
    without_numbers,
)
from svcgen.units import SIZE_EXAMPLES, SIZE_PATTERN, parse_duration, parse_size
from svcgen.yaml_files import read_yaml

SETTINGS_FILE = "svcgen.yaml"


MOST_BODY = "1GiB"
MOST_STREAM = "1024GiB"


def _at_most(most: str) -> AfterValidator:
    def check(text: str) -> str:
        if parse_size(text) == 0:
            raise ValueError("must be larger than 0")
        if parse_size(text) > parse_size(most):
            raise ValueError(f"must be at most {most}")
        return text

    return AfterValidator(check)


_SIZE_RULE = f"must be a size such as {SIZE_EXAMPLES}"

_AnySize = Annotated[
    Text,
    matching(SIZE_PATTERN, _SIZE_RULE, "1MiB"),
    without_numbers(lambda number: f"{_SIZE_RULE}, but is {number}: write its unit"),
]
Size = Annotated[_AnySize, _at_most(MOST_BODY)]
StreamSize = Annotated[_AnySize, _at_most(MOST_STREAM)]


_MOST_PROXIES = 10
_PROXIES = (
    "must be the number of proxies in front of the gateway, from 0 to 10, or a list of their "
    "addresses such as [10.0.0.0/8]"
)


def _proxies(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise ValueError(f"{_PROXIES}, but is {value!r}")  # noqa: TRY004 (pydantic shows no other error)
    if isinstance(value, int):
        if not 0 <= value <= _MOST_PROXIES:
            raise ValueError(f"{_PROXIES}, but is {value}")
        return value
    return tuple(map(_network, value))


def _network(text: object) -> str:
    try:
        if not isinstance(text, str):
            raise ValueError("is not text")  # noqa: TRY004, TRY301
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{_PROXIES}, but has {text!r}: {error}") from error
    if network.prefixlen == 0:
        raise ValueError(f"must not have {text}: every client could then choose its address")
    return str(network)


class TlsSettings(StrictModel):
    """The key `gateway.tls`: what the gateway shows to clients that speak HTTPS."""

    certificate: Annotated[
        Text, Field(min_length=1, description="PEM, with intermediates; path from this file.")
    ]
    key: Annotated[Text, Field(min_length=1, description="Its private key in PEM.")]


# The connection's own, and what no setting may give to every response.
_NOT_SETTABLE = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "date", "host"),
        *("keep-alive", "location", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


def _settable(name: str) -> str:
    if name in _NOT_SETTABLE:
        raise ValueError(f"must not contain {name}: each response has its own")
    return name


ResponseHeader = Annotated[
    Text,
    matching(r"^[a-z][a-z0-9-]*$", "must be a header's name in lower case", "x-frame-options"),
    AfterValidator(_settable),
]
HeaderValue = Annotated[
    Text,
    matching(r"^[!-~](?:[ -~]*[!-~])?$", "must be visible ASCII, with spaces only inside"),
    Field(max_length=1024),
]


class GatewaySettings(StrictModel):
    """The key `gateway`: the port, and the limits of routes that set none."""

    port: Annotated[
        int, Field(strict=True, ge=1, le=65535, description="Port of this machine.")
    ] = 8000
    timeout: Annotated[Timeout, Field(description="Of a route that sets none.")] = "10s"
    max_body: Annotated[Size, Field(description="Larger requests get 413.")] = "1MiB"

    trusted_proxies: Annotated[
        int | tuple[str, ...],
        BeforeValidator(_proxies),
        Field(description="Whose X-Forwarded-For names the client: how many, or their addresses."),
    ] = 0
    proxy_protocol: Annotated[
        bool, Field(strict=True, description="Whether a load balancer names clients by PROXY.")
    ] = False
    tls: Annotated[TlsSettings | None, Field(description="With it, `port` is HTTPS only.")] = None
    http_port: Annotated[
        int | None,
        Field(strict=True, ge=1, le=65535, description="With `tls`: redirects to HTTPS."),
    ] = None
    response_headers: Annotated[
        dict[ResponseHeader, HeaderValue | None],
        Field(
            max_length=50,
            description="Where the service sets none; null: not the gateway's either.",
        ),
    ] = Field(default_factory=dict)

    claims: Annotated[
        dict[Text, tuple[Text, ...]],
        Field(description="Paths below the prefix of another service, by the service they reach."),
    ] = Field(default_factory=dict)

    unrouted: Annotated[
        dict[Text, tuple[Text, ...]],
        Field(description="Operations without a route, by service: `DELETE /v1/orders/*`."),
    ] = Field(default_factory=dict)

    issuers: Annotated[
        dict[IssuerName, IssuerSettings],
        Field(description="Whose tokens the gateway accepts, by the name that routes use."),
    ] = Field(default_factory=dict)
    development_issuer: Annotated[
        bool, Field(strict=True, description="Accept tokens of `svcgen token` on this machine.")
    ] = True

    @model_validator(mode="after")
    def _one_source_of_addresses(self) -> Self:
        if self.proxy_protocol and self.trusted_proxies:
            raise ValueError("has trusted_proxies and proxy_protocol: remove one of them")
        return self

    @model_validator(mode="after")
    def _redirect_fits(self) -> Self:
        if self.http_port is not None and self.tls is None:
            raise ValueError("has http_port, which redirects to HTTPS, but no tls")
        if self.http_port == self.port:
            raise ValueError("has one number for port and http_port")
        return self

    def url(self, port: int) -> str:
        """Return where clients of this machine reach the gateway."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    @property
    def timeout_ms(self) -> int:
        """Milliseconds until a route without its own timeout answers 504."""
        return parse_duration(self.timeout)

    @property
    def max_body_bytes(self) -> int:
        """Bytes of the largest request body that the gateway passes on."""
        return parse_size(self.max_body)


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
