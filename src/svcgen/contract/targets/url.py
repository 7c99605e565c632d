"""A service that already runs: only a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from svcgen.contract.http import Address
from svcgen.contract.targets.base import Running
from svcgen.errors import SvcgenError
from svcgen.service import Service


@dataclass(frozen=True)
class UrlTarget:
    """A running service; checks that start, stop or watch a service are not run."""

    url: str
    service: Service
    provides: frozenset[str] = frozenset()

    def start(self, environment: Mapping[str, str]) -> Running:  # noqa: ARG002 (it already runs)
        """Return the running service."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SvcgenError(
                f"{self.url} is not a URL of a service.", "Write it as http://HOST:PORT."
            )
        tls = parts.scheme == "https"
        return Running(Address(parts.port or (443 if tls else 80), parts.hostname, tls))

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Raise SvcgenError: the suite does not own the service's database."""
        raise SvcgenError(
            f"{self.url} cannot be migrated from here ({len(environment)} variables)."
        )
