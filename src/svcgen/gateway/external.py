"""A service that svcgen did not make, behind the gateway: `external` in svcgen.yaml with routes.

Its routes are those of a registration. So each check of a registration applies to them, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from svcgen.addresses import is_loopback, literal_address
from svcgen.files import read_file
from svcgen.gateway.access import Name
from svcgen.gateway.registration import HealthPath, Registration, RouteEntry
from svcgen.settings import SETTINGS_FILE, ExternalSettings
from svcgen.strict import (
    Duration,
    StrictError,
    StrictModel,
    Text,
    matching,
    read_strictly,
    within,
)

_PORTS = {"http": 80, "https": 443}
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n"
)

HostName = Annotated[
    Text,
    matching(
        r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", "must be a host name", "legacy.example.com"
    ),
    Field(max_length=253),
]


class ExternalHealth(StrictModel):
    """How the gateway asks whether it is ready."""

    http: Annotated[HealthPath, Field(description="Path that answers 200 when ready.")]
    interval: Annotated[
        Duration, within("100ms", "1m"), Field(description="Time between two questions.")
    ] = "5s"


class ExternalTls(StrictModel):
    """How the gateway verifies the certificate of an https URL."""

    verify: Annotated[
        bool, Field(strict=True, description="False: any certificate is accepted.")
    ] = True
    ca: Annotated[
        Text | None,
        Field(min_length=1, description="File with CA certificates; absent: those of the system."),
    ] = None
    sni: Annotated[
        HostName | None, Field(description="Name in the certificate; absent: the URL's host.")
    ] = None

    @model_validator(mode="after")
    def _verifies_with_the_ca(self) -> ExternalTls:
        if self.ca and not self.verify:
            raise ValueError("has `ca`, which `verify: false` would ignore: remove one of them")
        return self


class ExternalEntry(StrictModel):
    """An entry of `external` that has routes."""

    url: Text
    document: Text = ""
    routes: Annotated[dict[Name, RouteEntry], Field(min_length=1)]
    health: ExternalHealth | None = None
    tls: ExternalTls | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> ExternalEntry:
        parts = urlsplit(self.url)
        if parts.path not in ("", "/"):
            raise ValueError(
                f"has routes, so `url` cannot have the path {parts.path}: the gateway sends the "
                f"path of the request. Write url: {parts.scheme}://{parts.netloc}"
            )
        if parts.netloc.startswith("[") and literal_address(parts.hostname or "") is None:
            raise ValueError(f"has the host {parts.netloc}, which is not an IPv6 address")
        if self.tls and parts.scheme != "https":
            raise ValueError("has `tls`, which only an https URL uses: remove it")
        return self


class _File(StrictModel):
    """The part of svcgen.yaml that is read here."""

    external: dict[Name, ExternalEntry]


class External(Registration):
    """An external service with routes; `ca` has the CA certificates in `tls.ca`, as text."""

    entry: ExternalEntry
    ca: str = ""

    @property
    def host(self) -> str:
        """The host of its URL, an IPv6 address without brackets."""
        return urlsplit(self.entry.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of its URL."""
        parts = urlsplit(self.entry.url)
        return parts.port or _PORTS[parts.scheme]

    @property
    def https(self) -> bool:
        """Whether the gateway connects to it with TLS."""
        return urlsplit(self.entry.url).scheme == "https"

    @property
    def on_this_machine(self) -> bool:
        """Whether its URL names this machine."""
        return is_loopback(self.host)

    @property
    def host_header(self) -> str:
        """The Host header of its requests, as a client of its URL would send it."""
        parts = urlsplit(self.entry.url)
        usual = parts.port in (None, _PORTS[parts.scheme])
        return parts.netloc.rpartition(":")[0] if usual and parts.port else parts.netloc


def read_external(name: str, settings: ExternalSettings, root: Path) -> External | None:
    """Read an entry of `external`; None where it has no routes.

    Raises StrictError with the key of every fault.
    """
    written = settings.model_dump(exclude_none=True)
    if "routes" not in settings.model_fields_set:
        _refuse_without_routes(name, written)
        return None
    written["routes"] = settings.routes  # null is a fault, too
    content = {"external": {name: written}}
    entry = read_strictly(_File, content, SETTINGS_FILE).external[name]
    certificates = ""
    if entry.tls and entry.tls.ca:
        certificates = _certificates(f"external.{name}.tls.ca", root / entry.tls.ca)
    return External(
        api_version="svcgen.dev/v1", service=name, routes=entry.routes, entry=entry, ca=certificates
    )


def _refuse_without_routes(name: str, written: Mapping[str, object]) -> None:
    unused = [key for key in ("health", "tls") if key in written]
    if unused:
        problem = f"external.{name} has `{unused[0]}`, which only an entry with `routes` uses."
        raise StrictError([(SETTINGS_FILE, problem)])


def _certificates(key: str, path: Path) -> str:
    """Return the certificates in a file of PEM; nothing else of it becomes public."""
    try:
        text = read_file(path).decode()
    except (OSError, ValueError) as error:
        raise StrictError([(SETTINGS_FILE, f"{key}: {path} cannot be read.")]) from error
    found = _CERTIFICATE.findall(text.replace("\r\n", "\n").rstrip() + "\n")
    if not found:
        raise StrictError([(SETTINGS_FILE, f"{key}: {path} has no certificate in PEM.")])
    return "".join(found)
