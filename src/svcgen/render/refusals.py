"""Render a service from stored answers; report which one a template no longer accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.render.render import check_answers, questions, render_version
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import choices
from svcgen.yaml_files import read_yaml

# svcgen's own errors, and Copier's for an answer with the wrong type, or without one.
_NAMED = re.compile(r"""The answer to `(\w+)`|to question "(\w+)" of type|Question "(\w+)" is""")

# The paths, the image and the imports of a service depend on these.
FIXED = {
    "name": "Rename the service: svcgen rename {name} {answer}",
    "stack": "Create another service, and move your files: svcgen new OTHER-NAME --stack {answer}",
    "kind": "Create another service, and move your files: svcgen new OTHER-NAME --kind {answer}",
}


def render_stored(  # noqa: PLR0913 (the first three are what, where and with what)
    version: Version,
    folder: Path,
    stored: Mapping[str, Any],
    command: str,
    *,
    name: str = "",
    trusted: bool = False,
) -> Path:
    """Render a service from stored answers; no answer may be replaced by a default.

    `command` is the one that takes another answer, `update` or `reconfigure`, and `name` what it
    calls the service: a template need not ask for a name. Answers to questions
    that the template does not ask are left out: they would replace values that it computes. Raises
    SvcgenError that names the service, the question, the answer, what is accepted, and what to
    type.
    """
    name = name or str(stored.get("name", folder.name))
    asked = questions(version)
    answers = {question: answer for question, answer in stored.items() if question in asked}
    try:
        rendered = render_version(version, folder, answers, trusted=trusted)
    except SvcgenError as error:
        found = _NAMED.search(error.problem)
        question = next(filter(None, found.groups()), "") if found else _find(version, answers)
        if not question:
            raise
        problem = error.problem.rpartition("cannot be used: ")[2]  # without the question's name
        reason = f"{problem} {error.advice}".strip()
        raise _refusal(version, question, answers, f"{command} {name}", reason) from error
    recorded = read_yaml(rendered / ANSWERS_FILE)
    for question, answer in answers.items():
        kept = recorded.get(question)
        if isinstance(answer, list) and isinstance(kept, list):
            for item in answer:
                if item not in kept:  # Copier leaves it out and reports nothing
                    reason = f"{item!r} is not offered."
                    raise _refusal(version, question, answers, f"{command} {name}", reason)
    return rendered


def require_known_questions(answers: Mapping[str, Any], version: Version) -> None:
    """Raise SvcgenError, with the nearest question, for an answer without a question."""
    names = list(questions(version))
    for question in answers:
        if question not in names:
            there = f"There are: {', '.join(names)}." if names else "It has no questions."
            advice = did_you_mean(question, names, there)
            raise SvcgenError(f"The template has no question `{question}`.", advice)


def require_immutable_answers(stored: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raise SvcgenError for a new answer to a question that cannot change."""
    for question, advice in FIXED.items():
        if question in data and question in stored and data[question] != stored[question]:
            raise SvcgenError(
                f"`{question}` of {stored.get('name', 'a service')} stays {stored[question]}: "
                "nearly every file depends on it.",
                advice.format(name=stored.get("name", "NAME"), answer=data[question]),
            )


def _find(version: Version, answers: Mapping[str, Any]) -> str:
    """Return the answer without which the others are accepted, when Copier does not name it."""

    def accepts(tried: Mapping[str, Any]) -> bool:
        try:
            check_answers(tried, version)
        except SvcgenError:
            return False
        return True

    if accepts(answers):
        return ""
    return next(
        (name for name in answers if accepts({k: v for k, v in answers.items() if k != name})), ""
    )


def _refusal(
    version: Version, question: str, answers: Mapping[str, Any], command: str, reason: str
) -> SvcgenError:
    template = f"Template {version.name}" if version.name else "The template"
    offered = tuple(choices(questions(version).get(question, {})))
    stored = question in answers
    verb = f"does not accept {answers[question]!r} as" if stored else "needs an answer to"
    answer = answers.get(question)
    near = _accepted_answer(answer, offered)
    why = f"Accepted: {', '.join(offered)}." if offered else reason
    return SvcgenError(
        f"{template} {verb} `{question}`. {why}",
        f"Type: svcgen {command} -d {question}={near}",
    )


def _accepted_answer(answer: Any, offered: tuple[str, ...]) -> str:
    """Return an answer that a question accepts, as a shell takes it: several are a list."""
    if isinstance(answer, list):
        kept = [str(item) for item in answer if str(item) in offered]
        return quote(f"[{', '.join(kept or offered[:1])}]")
    return (get_close_matches(str(answer), offered, n=1) or ["ANSWER"])[0]
