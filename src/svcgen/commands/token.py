"""`svcgen token`: a token of the development issuer, which the gateways of this machine accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from svcgen.errors import SvcgenError
from svcgen.issuer_settings import DEVELOPMENT
from svcgen.settings import SETTINGS_FILE
from svcgen.units import parse_duration
from svcgen.workspace import Workspace, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from svcgen.gateway.routes import Route
    from svcgen.gateway.tokens import Token

SUBJECT = "ann"  # in examples


def make_token(  # noqa: PLR0913 (one for each option of the command)
    workspace: Workspace,
    subject: str,
    scopes: Sequence[str] = (),
    *,
    lifetime: str = "15m",
    audiences: Sequence[str] = (),
    rotate: bool = False,
) -> Token:
    """Return a token; make the key of the development issuer first where there is none.

    A running gateway accepts the token at once. Raises SvcgenError when svcgen.yaml switches the
    development issuer off, and for a lifetime that is too long.
    """
    from svcgen.compose.fleet import Fleet
    from svcgen.gateway.admin import waiting
    from svcgen.gateway.issuers import configured_issuers
    from svcgen.gateway.tokens import MOST_SECONDS, ensure_key, rotate_key, sign
    from svcgen.run.access import access_folder, write_access
    from svcgen.run.applied import wait_for_gateway

    if not workspace.settings.gateway.development_issuer:
        raise SvcgenError(
            f"{SETTINGS_FILE} switches the development issuer off.",
            "Remove gateway.development_issuer, or ask the issuer of the route for a token.",
        )
    seconds = _seconds(lifetime, MOST_SECONDS)
    state = state_folder(workspace.root)
    ensure_key(state)
    if rotate:
        rotate_key(state)
    if access_folder(workspace.root).is_dir():  # a gateway of this machine reads it
        issuers = configured_issuers(workspace.root, workspace.settings.gateway)
        fleet = Fleet(workspace.root, (), workspace.settings, issuers=issuers)
        wait_applied = wait_for_gateway(workspace.root) if rotate else waiting(0.0)
        write_access(fleet, wait_applied)
    return sign(state, subject, scopes, seconds, audiences)


def token_command(routes: Iterable[Route]) -> str:
    """Return the command that makes a token for all of these routes; empty if none needs one."""
    from svcgen.gateway.access import JwtWay

    ways = [
        way
        for route in routes
        for way in route.auth
        if isinstance(way, JwtWay) and way.jwt == DEVELOPMENT
    ]
    scopes = sorted({scope for way in ways for scope in way.scopes})
    options = "".join(f" --scope {scope}" for scope in scopes)
    return f"svcgen token --sub {SUBJECT}{options}" if ways else ""


def _seconds(lifetime: str, most: int) -> int:
    advice = "For example: --for 15m"
    try:
        found = parse_duration(lifetime) // 1000
    except ValueError as error:
        raise SvcgenError(f"'{lifetime}' is not a duration.", advice) from error
    if not 1 <= found <= most:
        limits = f"1s to {most // 3600}h"
        raise SvcgenError(f"A token is valid for {limits}, not for {lifetime}.", advice)
    return found
