"""`svcgen key`: API keys for partners and scripts; the gateway uses a change at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svcgen.workspace import Workspace

if TYPE_CHECKING:
    from svcgen.gateway.keys import Key
    from svcgen.gateway.routes import Route


@dataclass(frozen=True)
class AddedKey:
    """A new key with its secret, and the path of a route that accepts it; empty without one."""

    key: Key
    secret: str
    path: str = ""


@dataclass(frozen=True)
class KeysResult:
    """Keys of a workspace, sorted by group and name."""

    keys: tuple[Key, ...]


def add(workspace: Workspace, group: str, name: str, tier: str | None = None) -> AddedKey:
    """Make a key, store its hash, and give the hash to the gateway.

    Raises SvcgenError for a name that cannot be used or is used already.
    """
    from svcgen.gateway.keys import add_key, changing_keys

    with changing_keys(workspace.root):
        key, secret = add_key(workspace.root, group, name, tier)
    paths = [route.path for route in _routes(workspace) if key.opens(route.auth)]
    return AddedKey(key, secret, next(iter(paths), ""))


def list_keys(workspace: Workspace, group: str | None = None) -> KeysResult:
    """Return the keys of a workspace, or of one group."""
    from svcgen.gateway.keys import read_keys

    keys = read_keys(workspace.root)
    return KeysResult(tuple(key for key in keys if group in (None, key.group)))


def revoke(workspace: Workspace, group: str, name: str) -> Key:
    """Remove a key; the gateway refuses it from now on.

    Raises SvcgenError with the nearest name for an unknown key.
    """
    from svcgen.gateway.keys import changing_keys, revoke_key

    with changing_keys(workspace.root):
        return revoke_key(workspace.root, group, name)


def _routes(workspace: Workspace) -> Iterable[Route]:
    """Return the routes that clients reach; a registration that cannot be read has none."""
    from svcgen.compose.fleet import read_fleet
    from svcgen.gateway.routes import exposed

    fleet, _faults = read_fleet(workspace)
    return exposed(fleet.table)
