"""The command that checks a service against the contract: verify."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from svcgen.cli.options import FOUND_SOMETHING, Json
from svcgen.cli.output import emit, report_progress, table
from svcgen.errors import did_you_mean, page

if TYPE_CHECKING:
    from svcgen.commands.verify import VerifyResult
    from svcgen.contract.check import Finding

STATES = {True: "kept", False: "broken", None: "not checked"}
ORDER = {True: 0, None: 1, False: 2}  # what is broken is last, above the prompt


def complete_rules(incomplete: str) -> list[str]:
    """Return the names of rules that begin so."""
    from svcgen.contract.suite import CHECKS

    return [rule.name for rule in CHECKS if rule.name.startswith(incomplete)]


def verify(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Folder, image or URL of a service.")
    ] = ".",
    service: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of the service, for an image or a URL.", file_okay=False
        ),
    ] = Path(),
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Check only this rule; can be repeated.",
            autocompletion=complete_rules,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check that a service keeps the contract, as a folder, an image or at a URL.

    A folder is started with `make run`, an image with the restrictions of Kubernetes. At a URL,
    rules about start and stop are not checked. A service with a database uses DATABASE_URL, which
    must be an empty database. The checks create items: never use a URL or database in production.
    """
    from svcgen.cli.documents import services as documents
    from svcgen.commands import verify as command
    from svcgen.commands.up import interrupt
    from svcgen.contract.suite import CHECKS

    known = [rule.name for rule in CHECKS]
    for name in only or []:
        if name not in known:
            hint = did_you_mean(name, known, f"All rules: {page('contract')}")
            raise typer.BadParameter(f"'{name}' is not a rule of the contract. {hint}")
    # SIGTERM ends the service, too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupt)
    result = command.verify(target, service, only or [], report_progress)
    emit(documents.verify_document(result, STATES), text(result), json=json)
    if result.broken:
        raise typer.Exit(FOUND_SOMETHING)


def text(result: VerifyResult) -> str:
    """Show one rule a line, broken ones last, and how many are kept, broken and not checked."""
    rows = [
        {"rule": one.check.name, "state": STATES[one.ok], "detail": _detail(one)}
        for one in sorted(result.findings, key=lambda one: ORDER[one.ok])
    ]
    counts = [
        f"{sum(one.ok is ok for one in result.findings)} {state}" for ok, state in STATES.items()
    ]
    return f"{table(rows)}\n\n{result.service}: {', '.join(counts)}"


def _detail(finding: Finding) -> str:
    """Return the rule, and what was observed instead or why it was not checked."""
    rule = finding.check.rule
    return f"{rule}; observed: {finding.detail}" if finding.ok is False else finding.detail or rule
