"""The template's questions: what they take, and what they refuse with an example that they take."""

from __future__ import annotations

import pytest

from svcgen.errors import SvcgenError
from svcgen.render.render import check_answers

MARKUP = "{{ name }} {% raw %} \"quoted\" 'single' \\ $HOME `x` <b> # : - | % 日本 👋"
NAMES_GOOD = ["a", "b1", "orders", "order-items", "a" * 40, "db", "migrate", "a-dbs", "xy"]
NAMES_BAD = [
    *("", "A", "1a", "-a", "a-", "a_b", "a.b", "a" * 41, "orders\n", " orders", "ä", "../x"),
    *("x", "x-y"),
    *("gateway", "platform", "composer", "database", "otel", "localhost", "yes", "null"),
    *("aux", "com1"),
    *("orders-db", "orders-migrate"),
]
REGISTRIES_GOOD = ["acme", "ghcr.io/acme", "localhost:5000", "10.0.0.1:5000/a/b-c__d.e", "r.io/a"]
REGISTRIES_BAD = ["", "A", "a/", "/a", "a//b", "https://a", "a b", "a..b/c", "a:x/b", "a/b:1"]
LINES_GOOD = ["x", MARKUP, "null", "1", "- a", "x" * 100]
LINES_BAD = ["", " ", "a\nb", "a\tb", "\x00", "\x85", "\u2028", "x" * 201]
CALLS_GOOD = [[], ["catalog"], ["order-items", "catalog"]]
CALLS_BAD = ["orders", "catalog", {"a": 1}, [1], ["A"], ["a", "a"], 1, None]
CALLS_BAD += [["gateway"], ["a-db"], ["x"], ["x-y"]]

GOOD = [
    *(("name", answer) for answer in NAMES_GOOD),
    *(("registry", answer) for answer in REGISTRIES_GOOD),
    *(("description", answer) for answer in LINES_GOOD),
    *(("owner", answer) for answer in LINES_GOOD),
    *(("calls", answer) for answer in CALLS_GOOD),
]
BAD = [
    *(("name", answer) for answer in NAMES_BAD),
    *(("registry", answer) for answer in REGISTRIES_BAD),
    *(("description", answer) for answer in LINES_BAD),
    *(("owner", answer) for answer in LINES_BAD),
    *(("calls", answer) for answer in CALLS_BAD),
    ("calls", ["orders"]),
    ("stack", "cobol"),
    ("database", "sqlite"),
]


@pytest.mark.parametrize(("question", "answer"), GOOD)
def test_a_sound_answer_is_taken(question: str, answer: object) -> None:
    check_answers({"name": "orders", "stack": "python", question: answer})


@pytest.mark.parametrize(("question", "answer"), BAD)
def test_an_unsound_answer_is_refused_with_an_example(question: str, answer: object) -> None:
    with pytest.raises(SvcgenError) as refused:
        check_answers({"name": "orders", "stack": "python", question: answer})
    assert question in refused.value.problem
    if question in {"name", "registry", "description", "owner", "calls"}:
        assert "xample" in refused.value.advice
