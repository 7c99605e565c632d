"""The commands `svcgen key ...`: API keys of partners and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli.help_format import Command, Group
from svcgen.cli.options import Json, current_workspace
from svcgen.cli.output import emit, table

if TYPE_CHECKING:
    from svcgen.commands.key import AddedKey, KeysResult

keys = typer.Typer(
    cls=Group, no_args_is_help=True, help="Add, list or revoke API keys of partners and scripts."
)

GroupName = Annotated[
    str,
    typer.Argument(metavar="GROUP", help="Group that a route names: auth: {key: GROUP}."),
]
KeyName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the key, such as the partner's.")
]


@keys.command("add", cls=Command)
def add_(
    group: GroupName,
    name: KeyName,
    tier: Annotated[
        str | None,
        typer.Option(metavar="TIER", help="Tier that a route or a rate limit can ask for."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key and print it once: svcgen stores only its hash.

    The gateway of the running fleet accepts it at once.
    """
    from svcgen.cli.documents import keys as documents
    from svcgen.commands.key import add

    added = add(current_workspace(), group, name, tier)
    emit(
        documents.added_document(added), added.secret, "" if json else how_to_call(added), json=json
    )


@keys.command("list", cls=Command)
def list_(
    group: Annotated[
        str | None,
        typer.Argument(
            metavar="GROUP", help="Group of the keys; default: all.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the keys by name; no command shows a key again."""
    from svcgen.cli.documents import keys as documents
    from svcgen.commands.key import list_keys

    listed = list_keys(current_workspace(), group)
    note = "" if listed.keys else f"No keys. Add one: svcgen key add {group or 'GROUP'} NAME"
    emit(documents.keys_document(listed), rows(listed), note, json=json)


@keys.command("revoke", cls=Command)
def revoke_(group: GroupName, name: KeyName, json: Json = False) -> None:
    """Revoke a key: the gateway of the running fleet refuses it at once."""
    from svcgen.cli.documents import keys as documents
    from svcgen.commands.key import revoke

    key = revoke(current_workspace(), group, name)
    emit(documents.revoked_document(key), f"Revoked {key.user}.", json=json)


def how_to_call(added: AddedKey) -> str:
    """Return the user name of a new key with a call, or that no route accepts the key."""
    user, key = added.key.user, added.key
    lines = [f"This is the only time that svcgen shows the key. Its user name is {user}."]
    if added.url:
        lines.append(f"Call: curl -u {user}:KEY {added.url}")
    else:
        tier = f" and tier {key.tier}" if key.tier else ""
        lines.append(
            f"No route accepts keys of the group {key.group}{tier}. "
            f"Add it to a registration: auth: {{key: {key.group}}}"
        )
    return "\n".join(lines)


def rows(result: KeysResult) -> str:
    """Show one key a line."""
    return table(
        [
            {
                "group": key.group,
                "name": key.name,
                "tier": key.tier or "-",
                "user": key.user,
                "added": key.added,
            }
            for key in result.keys
        ]
    )
