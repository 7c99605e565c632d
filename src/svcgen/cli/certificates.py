"""The command about the gateway's certificate: cert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli.options import Json, current_workspace
from svcgen.cli.output import emit

if TYPE_CHECKING:
    from svcgen.commands.cert import CertResult


def cert(
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also for this host name or address; can be repeated.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a local CA, once, and a certificate of it for HTTPS at the gateway.

    The certificate is for localhost, 127.0.0.1 and ::1. Run the command again to renew it.
    """
    from svcgen.certificates import is_host
    from svcgen.cli.documents import certificates as documents
    from svcgen.commands.cert import cert as make

    for name in host or ():
        if not is_host(name):
            raise typer.BadParameter(f"'{name}' is neither a host name nor an address.")
    result = make(current_workspace(), host or ())
    emit(documents.cert_document(result), text(result), next_steps(result), json=json)


def text(result: CertResult) -> str:
    """Show the files, and for whom and how long they are valid."""
    lines = (
        f"certificate  {result.certificate}, until {result.expires:%Y-%m-%d}",
        f"key          {result.key}",
        f"CA           {result.ca}{', new' if result.new_ca else ''}",
        f"hosts        {', '.join(result.hosts)}",
    )
    return "\n".join(lines)


def next_steps(result: CertResult) -> str:
    """Return what to type next."""
    settings = (
        "",
        "Write into svcgen.yaml:",
        "gateway:",
        f"  tls: {{certificate: {result.certificate}, key: {result.key}}}",
    )
    steps = (
        "",
        "Apply it: svcgen up",
        f"Call it:  curl --cacert {result.ca} https://localhost:{result.port}/readyz",
    )
    return "\n".join([*(() if result.configured else settings), *steps])
