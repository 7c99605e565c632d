"""Empty and odd words on the command line: an error that helps, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.run import svcgen
from tests.support.workspaces import make

COMMANDS = ("new", "list", "questions", "compose", "routes", "drift", "update", "reconfigure")
WORDS = st.sampled_from(
    [
        *("", "--", "-", ".", "..", "/", "orders", "a/b", "--yes", "--json", "--stack", "--calls"),
        *(
            "-d",
            "--data-file",
            "--database",
            "--ref",
            "--template",
            "--all",
            "=",
            "=x",
            "name=",
            " ",
        ),
        *("{{ name }}", "\x1b[2J", "orders\n", "-x", "--no-such", "--dry-run", "--abort"),
    ]
)


@pytest.mark.parametrize(
    "words",
    [
        ("new", "--stack", "python", "--", ""),
        ("new", ""),
        ("new", " "),
        ("new", "-d", "name=", ""),
        ("reconfigure", "", "-d", "a=b"),
        ("update", ""),
        ("drift", ""),
        ("compose", ""),
    ],
)
def test_an_empty_word_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    make(tmp_path, "orders")
    before = sorted(tmp_path.rglob("*"))
    done = svcgen(*words, within=tmp_path)
    assert done.returncode in {1, 2}, done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORDS, max_size=5))
def test_no_command_line_ends_in_a_traceback(command: str, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), "orders")
        done = svcgen(command, *words, within=Path(folder))
    assert "Traceback" not in done.stderr, (command, words, done.stderr)
    assert done.returncode in {0, 1, 2, 3}
    assert "\x1b[2J" not in done.stdout + done.stderr
