"""The command that looks at the machine: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from svcgen.cli.options import FOUND_SOMETHING, Json
from svcgen.cli.output import emit, table

if TYPE_CHECKING:
    from svcgen.commands.doctor import DoctorResult


def doctor(json: Json = False) -> None:
    """Check programs, engines, ports and this workspace; print what is missing and what to do."""
    from svcgen.cli.documents import services as documents
    from svcgen.commands.doctor import doctor as look

    result = look(Path.cwd())
    emit(documents.doctor_document(result), text(result), advice(result), json=json)
    if result.missing:
        raise typer.Exit(FOUND_SOMETHING)


def text(result: DoctorResult) -> str:
    """Show one condition a line."""
    return table(
        [{"check": one.name, "state": one.state, "detail": one.detail} for one in result.conditions]
    )


def advice(result: DoctorResult) -> str:
    """List what to do about each condition; those that prevent work are first."""
    missing = [one for one in result.conditions if one.state == "missing"]
    others = [one for one in result.conditions if one.state == "not needed"]
    lines = [f"{one.name}: {one.advice or one.detail}" for one in missing]
    lines += [
        f"{one.name}: {one.advice}" for one in result.conditions if one.state == "ok" and one.advice
    ]
    lines += [f"{one.name} (not needed here): {one.advice or one.detail}" for one in others]
    return "\n".join(["", *lines]) if lines else ""
