"""Rendering from answers given long ago: one that is accepted no more is the user's to change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.render.render import check_answers, questions, render_version
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import choices
from svcgen.yaml_files import read_yaml

# In our words, and in Copier's where an answer has the wrong type or is missing.
_NAMED = re.compile(r"""The answer to `(\w+)`|to question "(\w+)" of type|Question "(\w+)" is""")

# What the paths, the image and the imports of a service were made from.
_FIXED = {
    "name": "Make another service of that name, and move your files there: svcgen new {answer}",
    "stack": "Make another service beside it, and move: svcgen new OTHER-NAME --stack {answer}",
    "kind": "Make another service beside it, and move: svcgen new OTHER-NAME --kind {answer}",
}


def render_stored(
    version: Version,
    folder: Path,
    stored: Mapping[str, Any],
    command: str,
    *,
    trusted: bool = False,
) -> Path:
    """Render a service from stored answers, none of which may turn into a default in silence.

    `command` is what takes another answer: `update` or `reconfigure`. Answers to questions that the
    template does not ask are left out: given to one that it derives, they would replace that.
    Raises SvcgenError that names the service, the question, the answer, what is accepted, and what
    to type.
    """
    asked = questions(version)
    answers = {question: answer for question, answer in stored.items() if question in asked}
    try:
        made = render_version(version, folder, answers, trusted=trusted)
    except SvcgenError as error:
        question = _named(error) or _culprit(version, answers)
        if not question:
            raise
        raise _refusal(version, question, answers, command, _reason(error)) from error
    for question, reason in _dropped(answers, read_yaml(made / ANSWERS_FILE)).items():
        raise _refusal(version, question, answers, command, reason)
    return made


def refuse_unknown(answers: Mapping[str, Any], version: Version) -> None:
    """Raise SvcgenError, with the nearest question, for an answer that answers none."""
    known = list(questions(version))
    for question in answers:
        if question not in known:
            advice = did_you_mean(question, known, f"There are: {', '.join(known)}.")
            raise SvcgenError(f"The template has no question `{question}`.", advice)


def refuse_fixed(stored: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raise SvcgenError for another answer to a question that a service is made of."""
    for question, advice in _FIXED.items():
        if question in data and data[question] != stored.get(question):
            raise SvcgenError(
                f"`{question}` of {stored['name']} stays {stored.get(question)}: nearly every file "
                "was made from it.",
                advice.format(answer=data[question]),
            )


def _named(error: SvcgenError) -> str:
    found = _NAMED.search(error.problem)
    return next(filter(None, found.groups()), "") if found else ""


def _reason(error: SvcgenError) -> str:
    """Leave out what names the question, which is said anew."""
    problem = error.problem.rpartition("cannot be used: ")[2]
    return f"{problem} {error.advice}".strip()


def _culprit(version: Version, answers: Mapping[str, Any]) -> str:
    """Find the answer without which all others are accepted, when Copier does not name it."""
    if _accepts(version, answers):
        return ""
    rests = {name: {k: v for k, v in answers.items() if k != name} for name in answers}
    return next((name for name, rest in rests.items() if _accepts(version, rest)), "")


def _accepts(version: Version, answers: Mapping[str, Any]) -> bool:
    try:
        check_answers(answers, version)
    except SvcgenError:
        return False
    return True


def _dropped(answers: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, str]:
    """Find choices of several that Copier left out without a word, as it does."""
    both = {name: (answer, recorded.get(name)) for name, answer in answers.items()}
    return {
        name: f"{item!r} is not offered."
        for name, (given, kept) in both.items()
        if isinstance(given, list) and isinstance(kept, list)
        for item in given
        if item not in kept
    }


def _refusal(
    version: Version, question: str, answers: Mapping[str, Any], command: str, reason: str
) -> SvcgenError:
    template = f"Template {version.name}" if version.name else "The template"
    offered = tuple(choices(questions(version).get(question, {})))
    given = question in answers
    said = f"does not accept {answers[question]!r} as" if given else "needs an answer to"
    near = get_close_matches(str(answers.get(question)), offered, n=1) or ["ANSWER"]
    why = f"Accepted: {', '.join(offered)}." if offered else reason
    name = answers["name"]
    return SvcgenError(
        f"{template} {said} `{question}`. {why}",
        f"Type: svcgen {command} {name} -d {question}={near[0]}",
    )
