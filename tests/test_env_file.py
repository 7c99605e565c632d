"""A service's `.env`: svcgen reads what Compose reads, and refuses what Compose would change."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from svcgen.env_file import Values, line, read_env_file
from svcgen.errors import SvcgenError

TEXT = r"""
# a comment
PLAIN=one two  # not this
HASH=a#b
EMPTY=
  INDENTED = 1
export EXPORTED=yes
LITERAL='$HOME \n # "'   # not this
QUOTED="it's \"5\" \$ \\ # \t."
LINES="-----BEGIN-----
abc
-----END-----"
URL=postgres://u:p@h:1/d?x=1&y=2
FROM_SHELL
LAST="no newline"
""".strip()
READ = {
    "PLAIN": "one two",
    "HASH": "a#b",
    "EMPTY": "",
    "INDENTED": "1",
    "EXPORTED": "yes",
    "LITERAL": '$HOME \\n # "',
    "QUOTED": 'it\'s "5" $ \\ # \t.',
    "LINES": "-----BEGIN-----\nabc\n-----END-----",
    "URL": "postgres://u:p@h:1/d?x=1&y=2",
    "FROM_SHELL": None,
    "LAST": "no newline",
}
# What a line is made of: each has a meaning somewhere, or is trimmed by some reader.
CHARACTERS = (*"a1 \t#'\"\\$={}\r:-", "\u00a0", "\u2003", "\x0b", "\x01", "\x7f", "é", "\\n")
ACCEPTED = 400


def test_each_form_is_read(tmp_path: Path) -> None:
    assert read_env_file(tmp_path) == {}
    (tmp_path / ".env").write_text(TEXT)
    assert read_env_file(tmp_path) == READ
    (tmp_path / ".env").write_text("A=1\r\n\r\n# c\r\nB=2  # d\r\nC=\r\nD\r\nE='3'\r\n")
    assert read_env_file(tmp_path) == {"A": "1", "B": "2", "C": "", "D": None, "E": "3"}


def test_a_written_line_is_read_as_the_same_value(tmp_path: Path) -> None:
    values = {name: value for name, value in READ.items() if value is not None}
    (tmp_path / ".env").write_text("\n".join(line(*each) for each in values.items()))
    assert read_env_file(tmp_path) == values


@pytest.mark.needs("docker")
def test_compose_reads_the_same(tmp_path: Path) -> None:
    assert read_by_compose(tmp_path, TEXT) == given(READ)


@pytest.mark.needs("docker")
def test_compose_reads_the_same_of_any_line_that_is_accepted(tmp_path: Path) -> None:
    """Random lines of the characters that have a meaning: each is refused, or read alike."""
    drawn = random.Random(7)
    lines: list[str] = []
    expected: Values = {}
    while len(expected) < ACCEPTED:
        value = "".join(drawn.choices(CHARACTERS, k=drawn.randint(0, 8)))
        candidate = f"V{len(expected)}={value}\n"
        (tmp_path / ".env").write_bytes(candidate.encode())
        try:
            expected |= read_env_file(tmp_path)
        except SvcgenError:
            continue
        lines.append(candidate)
    assert read_by_compose(tmp_path, "".join(lines)) == expected


def read_by_compose(folder: Path, text: str) -> Values:
    (folder / ".env").write_bytes(text.encode())
    (folder / "compose.yaml").write_text("services: {x: {image: x, env_file: [.env]}}")
    words = ("docker", "compose", "config", "--format", "json")
    output = json.loads(subprocess.check_output(words, cwd=folder, text=True))
    # `config` prints a `$` as `$$`, so that its output can be read again.
    found = given(output["services"]["x"]["environment"])
    return {name: str(value).replace("$$", "$") for name, value in found.items()}


def given(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\nB C=2\n", "line 2 is not NAME=VALUE"),
        ("A='1\n", "line 1 is not NAME=VALUE"),
        ("A=$HOME/x\n", "line 1: Compose would replace the `$`"),
        ('\nA="${HOME}"\n', "line 2: Compose would replace the `$`"),
        (r'A="\d"', r"line 1: write \d as \\d"),
        ("A=#b\n", "line 1: write the value in '...'"),
        ("A= #b\n", "line 1: write the value in '...'"),
        ("A=x\t#y\n", "line 1: write the value in '...'"),
        ("A=\u00a01\n", "line 1: write the value in '...'"),
        ("A=1\nB='x\r\ny'\n", "line 2: save the file with LF"),
        ("A=1\nB", "line 2: end the last line with a line feed"),
        ("export =1\n", "line 1 is not NAME=VALUE"),
    ],
)
def test_what_compose_would_change_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SvcgenError) as error:
        read_env_file(tmp_path)
    assert problem in error.value.problem
