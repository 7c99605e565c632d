"""Edits of a user's YAML: the entry changes, and no other character of the file."""

from __future__ import annotations

import pytest

from svcgen.errors import SvcgenError
from svcgen.yaml_edits import Place, places_in, remove_entries, rename_entries
from svcgen.yaml_files import parse_documents

A, B = ("a",), ("x", "b")


@pytest.mark.parametrize(
    ("text", "place", "removed", "renamed"),
    [
        ("a: 1\nx: 2 # two\n", A, "x: 2 # two\n", "new: 1\nx: 2 # two\n"),
        ("a:\n  - 1\n\n# x\nx: 2\n", A, "\n# x\nx: 2\n", "new:\n  - 1\n\n# x\nx: 2\n"),
        ("a: |\n  text\nx: 2\n", A, "x: 2\n", "new: |\n  text\nx: 2\n"),
        ("x: {b: 1, c: 2}\n", B, "x: {c: 2}\n", "x: {new: 1, c: 2}\n"),
        ("x: {c: 2, b: 1}\n", B, "x: {c: 2}\n", "x: {c: 2, new: 1}\n"),
        ("a: 1\nx: [b] # all\n", B, "a: 1\n", "a: 1\nx: [new] # all\n"),
        ("x:\n- c\n- 'b' # two\n", B, "x:\n- c\n", "x:\n- c\n- new # two\n"),
        ("a: 1\r\nx: é\r\n", A, "x: é\r\n", "new: 1\r\nx: é\r\n"),
        ("x:\n  b: 1\n", B, "", "x:\n  new: 1\n"),
    ],
)
def test_an_entry_is_removed_or_renamed(
    text: str, place: Place, removed: str, renamed: str
) -> None:
    assert places_in(parse_documents(text)[0], [place, ("other",)]) == [place]
    assert remove_entries(text, [place]) == removed
    assert rename_entries(text, {place: "new"}) == renamed


def test_an_entry_that_others_refer_to_is_refused() -> None:
    with pytest.raises(SvcgenError, match="can edit"):
        remove_entries("a: &it {b: 1}\nx: *it\n", [A])
