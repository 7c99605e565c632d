"""The answers that a user gives: from which option or file each is, and whether its type fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from svcgen.errors import AnswerError, SvcgenError
from svcgen.render.render import questions
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import choices, type_name
from svcgen.yaml_files import read_yaml

PAIR = "-d"  # the option of `QUESTION=ANSWER`
# By Copier's names of types: what an answer is, and one.
_TYPES = {
    "str": ("text", "TEXT"),
    "int": ("a whole number", "1"),
    "float": ("a number", "0.5"),
    "bool": ("true or false", "true"),
    "yaml": ("YAML", "[]"),
    "json": ("JSON", "[]"),
    "path": ("a path", "PATH"),
}


@dataclass(frozen=True)
class Answers:
    """Answers by question, and what messages call the option or file that each is from."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def over(self, below: Answers) -> Answers:
        """Return these answers and those below, which they replace."""
        return Answers({**below.values, **self.values}, {**below.sources, **self.sources})


def answers_from(source: str, values: Mapping[str, Any]) -> Answers:
    """Return answers that all are from one option or file."""
    return Answers(values, dict.fromkeys(values, source))


def read_pairs(pairs: list[str]) -> Answers:
    """Read `QUESTION=ANSWER` pairs; SvcgenError for one that is none."""
    values = {}
    for pair in pairs:
        question, sign, answer = pair.partition("=")
        if not sign:
            raise SvcgenError(f"'{pair}' is not QUESTION=ANSWER; for example -d database=postgres.")
        if not question.strip():
            raise SvcgenError(f"'{pair}' names no question; for example -d database=postgres.")
        values[question.strip()] = answer
    return answers_from(PAIR, values)


def read_answers_file(file: Path | None) -> Answers:
    """Read a file of answers; none without a file. SvcgenError when it is not a map."""
    values = read_yaml(file) if file else {}
    if not isinstance(values, dict):
        raise SvcgenError(f"{file} holds no answers.", "Write one `question: answer` a line.")
    return answers_from(str(file), values)


def require_types(answers: Answers, version: Version) -> None:
    """Raise AnswerError for an answer whose type is not that of its question.

    Copier names neither the question nor the answer then.
    """
    from svcgen.render.worker import is_of_type

    for question, details in questions(version).items():
        if question not in answers.values:
            continue
        answer, kind = answers.values[question], type_name(details)
        if kind in _TYPES and not is_of_type(kind, answer, several=_has_several(details)):
            wanted = f"a list, each {_TYPES[kind][0]}" if _has_several(details) else _TYPES[kind][0]
            source = answers.sources.get(question, "")
            raise AnswerError(
                question,
                f"{'null' if answer is None else repr(answer)[:80]} is not {wanted}.",
                f"For example: {_example(question, details, source)}",
                source,
            )


@contextmanager
def sources_named(sources: Mapping[str, str]) -> Iterator[None]:
    """Add to an AnswerError the option or file that the answer is from."""
    try:
        yield
    except AnswerError as error:
        source = sources.get(error.question, "")
        if error.source or not source:
            raise
        raise AnswerError(error.question, error.reason, error.advice, source) from error


def _has_several(details: Mapping[str, Any]) -> bool:
    return details.get("multiselect") is True


def _example(question: str, details: Mapping[str, Any], source: str) -> str:
    """Return what to type at the source of an answer, with one that the question accepts."""
    offered = next(iter(choices(details)), "")
    value = str(offered or details.get("placeholder") or details.get("default") or "")
    if not value or "{" in value:  # Jinja computes it
        value = _TYPES[type_name(details)][1]
    if _has_several(details):
        value = value if value.startswith("[") else f"[{value}]"
    by_option = not source or source.startswith("-")
    return f"-d {quote(f'{question}={value}')}" if by_option else f"{question}: {value}"
