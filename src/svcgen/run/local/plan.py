"""What the supervisor is told to run, as it travels over its socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """One service: its folder and all of its environment but PORT and DATABASE_URL."""

    name: str
    folder: str
    database: bool
    health: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Order:
    """What is to run: services, replicas of each, and the gateway's files that belong to them.

    `only`, when not empty, names the services that may be touched.
    `internal` has the loopback port of each called service, `programs` the paths of envoy and of
    the folder with PostgreSQL's programs, `seconds` how long a replica may take to become ready.
    """

    services: tuple[Plan, ...]
    port: int
    seconds: float
    only: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)
    internal: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as JSON can carry it."""
        return asdict(self)

    @property
    def touched(self) -> tuple[Plan, ...]:
        """The services that may be started or scaled."""
        return tuple(one for one in self.services if not self.only or one.name in self.only)


def read_order(document: Mapping[str, Any]) -> Order:
    """Return the order that `Order.document` wrote."""
    services = tuple(Plan(**plan) for plan in document["services"])
    return Order(**{**document, "services": services, "only": tuple(document["only"])})
