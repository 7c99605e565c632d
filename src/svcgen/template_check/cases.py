"""The answers that a template is tried with: every choice, each with none, one and two calls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from svcgen.template_check.source_tree import SourceTree

NAME = "orders"
MOST = 500  # combinations: some minutes on two cores
_WORDS = {"int": 1, "float": 1.5, "path": "orders", "json": "{}", "yaml": "{}"}
CALLS: tuple[list[str], ...] = ([], ["catalog"], ["order-items", "catalog"])
# Ends a text of YAML, JSON, TOML, Python, Jinja or a shell where the template does not quote it.
_HOSTILE = "{{ name }} {% raw %} \"quoted\" 'single' \\ $HOME `x` <b> # : - | % 日本 👋"
# The check tries a question with the longest one that it accepts.
HOSTILE = (f"{_HOSTILE}\n- x: [", _HOSTILE, _HOSTILE[:100], _HOSTILE[:30])


def combinations(
    template: SourceTree, given: Mapping[str, Any], most: int = MOST
) -> list[dict[str, Any]]:
    """Return all answers to the questions that have choices; `given` answers stay as they are.

    Other questions get their default. Of more than `most` combinations, only as many are returned
    as have every pair of choices.
    """
    fixed = {**_needed(template), **given}
    open_ = _open(template, given)
    picked: Iterable[tuple[Any, ...]] = itertools.product(*open_.values())
    if possible(template, given) > most:
        lists = list(open_.values())
        rows = covering([len(values) for values in lists])
        picked = [tuple(map(list.__getitem__, lists, row)) for row in rows]
    return [{**fixed, **dict(zip(open_, values, strict=True))} for values in picked]


def possible(template: SourceTree, given: Mapping[str, Any]) -> int:
    """Return the number of all combinations of choices."""
    return math.prod(map(len, _open(template, given).values()))


def _open(template: SourceTree, given: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        name: values
        for name, question in template.asked.items()
        if name not in given and (values := _values(name, question))
    }


def varied(template: SourceTree, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers that differ between combinations."""
    return {
        name: answer
        for name, answer in answers.items()
        if len(_values(name, template.asked.get(name, {}))) > 1
    }


def calls_nobody(answers: Mapping[str, Any]) -> bool:
    """Report whether these answers are the first of those that differ only by `calls`."""
    return not answers.get("calls")


def free_texts(template: SourceTree, given: Mapping[str, Any]) -> list[str]:
    """Return the questions that accept any text, missing from their validators."""
    return [
        name
        for name, question in template.asked.items()
        if name not in {"name", *given}
        and question.get("type", "str") == "str"
        and isinstance(question.get("default", ""), str)
        and not question.get("choices")
        and not question.get("secret")
    ]


def _needed(template: SourceTree) -> dict[str, Any]:
    """Return answers to questions without a default: the placeholder, a word or a number."""
    needed = {
        name: question.get("placeholder") or _WORDS.get(str(question.get("type", "str")), NAME)
        for name, question in template.asked.items()
        if "default" not in question
    }
    return {**needed, **({"name": NAME} if "name" in template.asked else {})}


def _values(name: str, question: Mapping[str, Any]) -> list[Any]:
    if name == "calls" and question.get("type") == "yaml":
        return list(CALLS)
    if question.get("type") == "bool":
        return [False, True]
    choices = question.get("choices") or ()
    if isinstance(choices, str):  # choices rendered from a text: only the default is known
        return []
    values = []
    for choice in choices.items() if isinstance(choices, dict) else choices:
        value = choice[1] if isinstance(choice, list | tuple) else choice
        values.append(value["value"] if isinstance(value, dict) else value)
    if question.get("multiselect"):
        return [[], values[:1], values]
    return values


Choice = tuple[int, int]  # which question, and which of its choices


def covering(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Return combinations that have every pair of choices; `sizes` are the questions' choices.

    Greedy: each combination starts with a missing pair, and takes of every other question the
    choice that adds the most missing pairs. The same sizes give the same combinations.
    """
    questions = [[(at, choice) for choice in range(size)] for at, size in enumerate(sizes)]
    missing = {
        pair
        for left, right in itertools.combinations(questions, 2)
        for pair in itertools.product(left, right)
    }
    found = []
    while missing:
        row = dict(min(missing))
        for question in questions:
            if question[0][0] not in row:
                best = max(question, key=lambda choice: _gain(choice, row, missing))
                row[best[0]] = best[1]
        missing -= set(itertools.combinations(sorted(row.items()), 2))
        found.append(tuple(choice for _at, choice in sorted(row.items())))
    return found


def _gain(choice: Choice, row: Mapping[int, int], missing: set[tuple[Choice, Choice]]) -> int:
    pairs = (sorted((choice, other)) for other in row.items())
    return sum((left, right) in missing for left, right in pairs)
