"""`svcgen key`: API keys for partners and scripts; the gateway uses a change at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.errors import SvcgenError
from svcgen.workspace import Workspace

if TYPE_CHECKING:
    from svcgen.gateway.keys import Key
    from svcgen.gateway.routes import Route


@dataclass(frozen=True)
class AddedKey:
    """A new key with its secret, and the URL of a route that accepts it; empty without one."""

    key: Key
    secret: str
    url: str = ""


@dataclass(frozen=True)
class KeysResult:
    """Keys of a workspace, sorted by group and name."""

    keys: tuple[Key, ...]


def add(workspace: Workspace, group: str, name: str, tier: str | None = None) -> AddedKey:
    """Make a key, store its hash, and wait until the gateway accepts it.

    Raises SvcgenError for a name that cannot be used or is used already. A key that the gateway
    does not take is not stored, because its secret is then unknown.
    """
    from svcgen.gateway.keys import add_key, revoke_key

    root = workspace.root
    try:
        with _published(root):
            key, secret = add_key(root, group, name, tier)
    except _NotAppliedError as error:
        with _published(root, wait=False):
            revoke_key(root, group, name)
        advice = error.advice or "If `docker compose` started the gateway, run: svcgen up"
        raise SvcgenError(f"The key was not added: {error.problem}", advice) from error
    opened = (route for route in _routes(workspace) if key.opens(route.auth))
    return AddedKey(key, secret, next((_url(workspace, route.path) for route in opened), ""))


def list_keys(workspace: Workspace, group: str | None = None) -> KeysResult:
    """Return the keys of a workspace, or of one group."""
    from svcgen.gateway.keys import read_keys

    keys = read_keys(workspace.root)
    return KeysResult(tuple(key for key in keys if group in (None, key.group)))


def revoke(workspace: Workspace, group: str, name: str) -> Key:
    """Remove a key, and wait until the gateway refuses it.

    Raises SvcgenError with the nearest name for an unknown key, and when a running gateway may
    still accept the key.
    """
    from svcgen.gateway.keys import revoke_key

    try:
        with _published(workspace.root):
            return revoke_key(workspace.root, group, name)
    except _NotAppliedError as error:
        problem = f"The key is removed, but the gateway may still accept it: {error.problem}"
        raise SvcgenError(problem, "Replace the gateway: svcgen down, then svcgen up") from error


class _NotAppliedError(SvcgenError):
    """The keys are stored, but a running gateway does not use them."""


@contextmanager
def _published(root: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of the keys; at the end publish them, and wait until the gateway uses them."""
    from svcgen.gateway.apply import KEYS_FILE
    from svcgen.gateway.keys import changing_keys, publish_keys
    from svcgen.run.applied import wait_for_gateway

    with changing_keys(root):
        wait_applied = wait_for_gateway(root) if wait else None
        yield
        if publish_keys(root) and wait_applied:
            try:
                wait_applied(KEYS_FILE)
            except SvcgenError as error:
                raise _NotAppliedError(error.problem, error.advice) from error


def _routes(workspace: Workspace) -> Iterable[Route]:
    """Return the routes that clients reach; a registration that cannot be read has none."""
    from svcgen.compose.fleet import read_fleet
    from svcgen.gateway.routes import exposed

    fleet, _faults = read_fleet(workspace)
    return exposed(fleet.table)


def _url(workspace: Workspace, path: str) -> str:
    """Return the address of a path at the gateway as it ran last, or would run."""
    from svcgen.run.memory import last_port

    gateway = workspace.settings.gateway
    return gateway.url(last_port(workspace.root, gateway.port) or gateway.port) + path
