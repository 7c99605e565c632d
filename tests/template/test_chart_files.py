"""The chart's files: the same in every service, and within what Helm 3 can read."""

from __future__ import annotations

import re

from tests.support.repository import REPOSITORY, NewService

CHART = REPOSITORY / "template" / "chart"


def test_templates_are_the_same_bytes_in_every_service(new_service: NewService) -> None:
    sources = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    for answers in (
        {"name": "orders"},
        {"name": "shop", "database": "postgres", "calls": ["orders"]},
    ):
        folder = new_service(**answers) / "chart"
        copies = [folder / source.relative_to(CHART) for source in sources]
        assert [copy.read_bytes() for copy in copies] == [file.read_bytes() for file in sources]


# What templates may call: Go's own, Helm 3's own, and what Sprig 3.0.0 had, which Helm 3.0 carried.
# `lookup` is of 3.1. The schema's dialect is younger: Helm knows it since 3.18 (helm/helm#13283).
HELM_3 = {
    *("and", "define", "else", "end", "eq", "fail", "if", "include", "index", "le", "lt", "ne"),
    *("not", "or", "print", "printf", "range", "with", "fromYaml", "lookup", "toJson", "toYaml"),
    *("add", "append", "compact", "concat", "deepCopy", "default", "dict", "first", "get", "has"),
    *("hasKey", "hasPrefix", "int", "int64", "join", "keys", "kindIs", "list", "mergeOverwrite"),
    *("mustMerge", "mustMergeOverwrite", "nindent", "omit", "pick", "prepend", "quote"),
    *("regexFind", "regexMatch", "replace", "rest", "set", "sortAlpha", "splitList", "ternary"),
    *("toString", "trimAll", "trimPrefix", "trunc", "uniq", "upper", "urlParse", "values"),
}


def test_templates_call_nothing_that_helm_3_lacks() -> None:
    text = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    actions = re.findall(r"{{-?(?!/\*)(.*?)-?}}", text, re.DOTALL)
    code = [re.sub(r'"(\\.|[^"\\])*"', "", action) for action in actions]
    called = {word for part in code for word in re.findall(r"(?<![.$\w])[a-zA-Z]+\w*", part)}
    assert called <= HELM_3
    assert "apiVersion: v2\n" in (CHART / "Chart.yaml.jinja").read_text()
