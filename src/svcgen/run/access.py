"""Whose tokens a gateway of this machine accepts: those of svcgen.yaml and of `svcgen token`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from svcgen.files import locked
from svcgen.gateway.apply import ACCESS_FILE, WaitApplied, write_in_order
from svcgen.workspace import STATE_FOLDER, state_folder

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet
    from svcgen.gateway.issuers import Issuer

LOCK = "access.lock"


def access_folder(root: Path) -> Path:
    """Return the folder that the gateway of either engine reads issuers from."""
    return (root / STATE_FOLDER / "gateway" / ACCESS_FILE).parent


def trusted(fleet: Fleet) -> tuple[Issuer, ...]:
    """Return the issuers of svcgen.yaml, and the development issuer once it has a key."""
    from svcgen.gateway.issuers import development_issuer

    if not fleet.settings.gateway.development_issuer:
        return fleet.issuers
    return (*fleet.issuers, *development_issuer(fleet.root / STATE_FOLDER))


def write_access(fleet: Fleet, wait_applied: WaitApplied) -> None:
    """Write the file of issuers for this machine, where it differs; `wait_applied` may follow.

    Raises RefusedFileError when a running gateway keeps the one before.
    """
    from svcgen.gateway.envoy.jwt import jwt_file

    folder = access_folder(fleet.root).parent
    with locked(state_folder(fleet.root) / LOCK, create=True):  # the last to write has all keys
        write_in_order(folder, {ACCESS_FILE: jwt_file(trusted(fleet))}, wait_applied)
