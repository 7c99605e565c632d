"""The commands about one service that a developer changes, and for its requests."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli.options import Json, Name, current_workspace
from svcgen.cli.output import emit, report_progress
from svcgen.errors import one_line

if TYPE_CHECKING:
    from svcgen.commands.env import EnvResult


def env(
    name: Name,
    shell: Annotated[
        bool, typer.Option("--shell", help='Print exports: eval "$(svcgen env NAME --shell)".')
    ] = False,
    dotenv: Annotated[
        bool, typer.Option("--dotenv", help="Print a file that Compose and IDEs read.")
    ] = False,
    json: Json = False,
) -> None:
    """Print the variables that the fleet gives a service, as a process of this machine needs them.

    It prints the password of the service's database, too.
    """
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.env import env as given

    if shell + dotenv + json > 1:
        raise typer.BadParameter("--shell, --dotenv and --json exclude each other.")
    result = given(current_workspace(), name)
    text = exports(result) if shell else env_file(result) if dotenv else variables(result)
    emit(documents.env_document(result), text, missing(result), json=json, exact=shell or dotenv)


def run(
    name: Name,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="Command and its arguments; default: make dev."),
    ] = None,
) -> None:
    """Serve a service of the running fleet by a command of this terminal, such as a debugger.

    It runs in the service's folder with the fleet's variables. The gateway and the other services
    send it their requests as soon as it is ready on PORT. The replica of the fleet returns when the
    command ends, also after Ctrl-C.
    """
    from svcgen.commands.run import run as serve

    code = serve(current_workspace(), name, command or [], report=report_progress)
    if code:
        raise typer.Exit(code)


def token(
    subject: Annotated[
        str, typer.Option("--sub", metavar="NAME", help="Who the caller is: the claim sub.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="What it may do; can be repeated."),
    ] = None,
    lifetime: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long it is valid; at most 24h.")
    ] = "15m",
    issuer: Annotated[
        str, typer.Option(metavar="NAME", help="Issuer that signs; svcgen has the key of dev only.")
    ] = "dev",
    audience: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="For whom it is: the claim aud; can be repeated."),
    ] = None,
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Make a new key first; the one before stays valid for 24h."),
    ] = False,
    json: Json = False,
) -> None:
    """Print a token of the development issuer, which the gateways of this machine accept.

    Its key is made once, in .svcgen/. No other issuer and no other machine accepts it.
    """
    from svcgen.cli.documents import fleet as documents
    from svcgen.commands.token import make_token
    from svcgen.gateway.access import SCOPE_PATTERN
    from svcgen.issuer_settings import DEVELOPMENT

    if issuer != DEVELOPMENT:
        raise typer.BadParameter(f"svcgen has the key of the issuer {DEVELOPMENT} only.")
    if not (subject and subject.isprintable()):
        raise typer.BadParameter("--sub must be a name, without control characters.")
    for each in scope or []:
        if not re.fullmatch(SCOPE_PATTERN, each):
            raise typer.BadParameter(f"'{each}' is not a scope; for example orders:read.")
    made = make_token(
        current_workspace(),
        subject,
        scope or [],
        lifetime=lifetime,
        audiences=audience or [],
        rotate=rotate,
    )
    emit(documents.token_document(made), made.text, json=json, exact=True)


def variables(result: EnvResult) -> str:
    """Show one variable a line."""
    return "\n".join(f"{name}={one_line(value)}" for name, value in result.variables.items())


def exports(result: EnvResult) -> str:
    """Return commands of a POSIX shell."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in result.variables.items()]
    return "\n".join(lines)


def env_file(result: EnvResult) -> str:
    """Return the lines of a file such as `.env`."""
    from svcgen.env_file import line

    return "\n".join(line(name, value) for name, value in result.variables.items())


def missing(result: EnvResult) -> str:
    """List the variables without a value, and why."""
    return "\n".join(f"{name} has no value: {reason}" for name, reason in result.missing.items())
