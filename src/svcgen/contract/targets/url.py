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
        return Running(self.address)

    @property
    def address(self) -> Address:
        """Where the service listens; SvcgenError when the URL does not say it, or says more."""
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise self._refused() from None
        more = parts.username or parts.path not in ("", "/") or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or more or port == 0:
            raise self._refused()
        tls = parts.scheme == "https"
        return Address(port or (443 if tls else 80), parts.hostname, tls)

    def _refused(self) -> SvcgenError:
        return SvcgenError("That is not the address of a service.", "Write it as http://HOST:PORT.")

    def migrate(self, environment: Mapping[str, str]) -> Running:
        """Raise SvcgenError: the suite does not own the service's database."""
        raise SvcgenError(
            f"{self.url} cannot be migrated from here ({len(environment)} variables)."
        )
