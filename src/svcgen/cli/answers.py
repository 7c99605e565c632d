"""The answers of a command line: options, `-d` and `--data-file`; they must not contradict."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from svcgen.render.answers import Answers

_NAME = "NAME"


def read_given(
    data: list[str] | None,
    data_file: Path | None = None,
    options: dict[str, str | list[str] | None] | None = None,
    name: str = "",
) -> Answers:
    """Return the answers of a command line: an option or `-d` replaces what the file has.

    `options` are those that are the answer to the question of the same name. `name` is the argument
    NAME, which a file may repeat. Raises typer.BadParameter, wrong usage, for two answers that
    contradict each other.
    """
    from svcgen.render.answers import Answers, answers_from, read_answers_file, read_pairs

    pairs, file = read_pairs(data or []), read_answers_file(data_file)
    given = Answers()
    for question, answer in (options or {}).items():
        if not answer:
            continue
        option = f"--{question}"
        other = pairs.values.get(question, answer)
        if other != answer:
            shown = " ".join(f"{option} {one}" for one in _listed(answer))
            pair = quote(f"{question}={other}")
            raise typer.BadParameter(
                f"{shown} and -d {pair} contradict each other: give one of them."
            )
        given = answers_from(option, {question: answer}).over(given)
    answers = given.over(pairs).over(file)
    if not name:
        return answers
    if str(other := answers.values.get("name", name)) != name:
        raise typer.BadParameter(
            f"{_NAME} is {name}, and `name` from {answers.sources['name']} is {other}: "
            "give one of them."
        )
    return Answers({"name": name}).over(answers)


def _listed(answer: str | list[str]) -> list[str]:
    return [answer] if isinstance(answer, str) else answer
