"""`svcgen questions`: what a template asks, with its choices and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from svcgen.templates.copier_yml import asked, choices, read_configuration, type_name
from svcgen.templates.sources import open_source


@dataclass(frozen=True)
class Question:
    """A question that a user may answer.

    `type` is Copier's name of a type. `choices` maps each accepted answer to its label; it is
    empty if any answer of the type is accepted, or if the template computes the choices. `default`
    is as copier.yml has it, so it may contain Jinja; None if an answer is required.
    """

    name: str
    type: str
    help: str
    choices: Mapping[str, str]
    multiselect: bool
    default: Any


@dataclass(frozen=True)
class QuestionsResult:
    """The questions of one version of a template, in the order of its copier.yml."""

    template: str
    version: str
    questions: tuple[Question, ...]


def list_questions(template: str = "", ref: str = "") -> QuestionsResult:
    """Read the questions of a template, svcgen's own by default, at its newest version or `ref`.

    Hidden questions (`when: false`) are left out. Raises SvcgenError when the template or the
    version does not exist.
    """
    version = open_source(template).obtain(ref)
    found = asked(read_configuration(version.folder))
    return QuestionsResult(
        version.source,
        version.name,
        tuple(_question(name, details) for name, details in found.items()),
    )


def _question(name: str, details: Mapping[str, Any]) -> Question:
    default = details.get("default")
    return Question(
        name=name,
        type=type_name(details),
        help=str(details.get("help") or ""),
        choices=choices(details),
        multiselect=details.get("multiselect") is True,
        default=default,
    )
