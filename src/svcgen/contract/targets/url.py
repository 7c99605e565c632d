"""A service that somebody else runs: only a URL."""

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
    """A running service; checks that would start, stop or watch one are not run."""

    url: str
    service: Service
    provides: frozenset[str] = frozenset()

    def start(self, environment: Mapping[str, str]) -> Running:  # noqa: ARG002 (it runs already)
        """Return the service as it runs."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SvcgenError(f"{self.url} is no URL of a service.", "Say http://HOST:PORT.")
        tls = parts.scheme == "https"
        return Running(Address(parts.port or (443 if tls else 80), parts.hostname, tls))

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Refuse: the service's database is not ours."""
        raise SvcgenError(
            f"{self.url} cannot be migrated from here ({len(environment)} variables)."
        )
