"""A service's `.env`: svcgen reads what Compose reads, and refuses what Compose would change."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from svcgen.env_file import line, read_env_file
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


def test_each_form_is_read(tmp_path: Path) -> None:
    assert read_env_file(tmp_path) == {}
    (tmp_path / ".env").write_text(TEXT.replace("\n", "\r\n"))
    assert read_env_file(tmp_path) == READ


def test_a_written_line_is_read_as_the_same_value(tmp_path: Path) -> None:
    values = {name: value for name, value in READ.items() if value is not None}
    (tmp_path / ".env").write_text("\n".join(line(*each) for each in values.items()))
    assert read_env_file(tmp_path) == values


@pytest.mark.needs("docker")
def test_compose_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(TEXT)
    (tmp_path / "compose.yaml").write_text("services: {x: {image: x, env_file: [.env]}}")
    words = ("docker", "compose", "config", "--format", "json")
    output = json.loads(subprocess.check_output(words, cwd=tmp_path, text=True))
    # `config` prints a `$` as `$$`, so that its output can be read again.
    found = {
        name: value.replace("$$", "$")
        for name, value in output["services"]["x"]["environment"].items()
        if value is not None
    }
    assert found == {name: value for name, value in READ.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\nB C=2\n", "line 2 is not NAME=VALUE"),
        ("A='1\n", "line 1 is not NAME=VALUE"),
        ("A=$HOME/x\n", "line 1: Compose would replace the `$`"),
        ('\nA="${HOME}"\n', "line 2: Compose would replace the `$`"),
        (r'A="\d"', r"line 1: write \d as \\d"),
    ],
)
def test_what_compose_would_change_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SvcgenError) as error:
        read_env_file(tmp_path)
    assert problem in error.value.problem
