"""Files that someone else wrote: a clear fault in bounded time, printed escaped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError, printable
from svcgen.yaml_files import read_documents, read_yaml
from tests.support.run import svcgen
from tests.support.templates import write
from tests.support.workspaces import make

SECONDS = 20
ANSWERS = "_src_path: https://example.invalid/t.git\n_commit: v1.0.0\n"
LEVELS = "abcdefghi"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in pairwise(LEVELS)
)
ESCAPES = '"\\e]0;title\\a\\nfake 1 ready"'


def answered_with(text: str) -> Callable[[Path], None]:
    return lambda service: write(service, {".copier-answers.yml": ANSWERS + text})


def linked(name: str, target: str) -> Callable[[Path], None]:
    def link(service: Path) -> None:
        (service / name).unlink()
        (service / name).symlink_to(target)

    return link


def fifo(name: str) -> Callable[[Path], None]:
    def make_fifo(service: Path) -> None:
        (service / name).unlink()
        os.mkfifo(service / name)

    return make_fifo


def huge(name: str) -> Callable[[Path], None]:
    def grow(service: Path) -> None:
        with (service / name).open("wb") as file:
            file.truncate(17 * 2**20)

    return grow


# what is done to a service, and what `svcgen compose` says of it
FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "an alias bomb": (
        answered_with(f"name: orders\nstack: python\n{BOMB}calls: [*i, *i]\n"),
        ".copier-answers.yml cannot be read: its aliases stand for more than 100000 nodes",
    ),
    "a name that a terminal obeys": (
        answered_with(f"name: {ESCAPES}\nstack: python\n"),
        ".copier-answers.yml: `name` is '\\x1b]0;title\\x07\\nfake 1 ready'",
    ),
    "a stack that a terminal obeys": (
        answered_with('name: orders\nstack: "py\\ethon"\n'),
        "`stack` is 'py\\x1bthon'",
    ),
    "a called service that a terminal obeys": (
        answered_with(f"name: orders\nstack: python\ncalls: [{ESCAPES}]\n"),
        "`calls` is ",
    ),
    "a template that a terminal obeys": (
        lambda service: write(
            service, {".copier-answers.yml": 'name: orders\nstack: go\n_src_path: "\\e[2J"\n'}
        ),
        "`_src_path` is '\\x1b[2J'",
    ),
    "openapi.json is a device": (
        linked("openapi.json", "/dev/zero"),
        "openapi.json: is not an OpenAPI document: it is not a regular file",
    ),
    "openapi.json is a FIFO": (fifo("openapi.json"), "it is not a regular file"),
    "openapi.json is huge": (huge("openapi.json"), "it is larger than 16 MiB"),
    "compose.yaml is a device": (
        linked("compose.yaml", "/dev/zero"),
        "compose.yaml cannot be read: it is not a regular file",
    ),
    "compose.yaml is a FIFO": (fifo("compose.yaml"), "it is not a regular file"),
    "compose.yaml is huge": (huge("compose.yaml"), "it is larger than 16 MiB"),
    "compose.yaml is an alias bomb": (
        lambda service: write(service, {"compose.yaml": f"{BOMB}services: *i\n"}),
        "its aliases stand for more than 100000 nodes",
    ),
    "compose.yaml is deep": (
        lambda service: write(service, {"compose.yaml": "services: " + "[" * 500 + "]" * 500}),
        "it is nested more than 100 levels deep",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "problem"), FAULTS.values(), ids=FAULTS)
def test_a_hostile_file_is_a_clear_fault(
    tmp_path: Path, spoil: Callable[[Path], None], problem: str
) -> None:
    spoil(make(tmp_path, "orders"))
    (tmp_path / "svcgen.yaml").touch()
    started = time.monotonic()
    done = svcgen("compose", within=tmp_path)
    assert time.monotonic() - started < SECONDS
    assert done.returncode == 1, done.stdout
    assert problem in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert not (tmp_path / "compose.yaml").exists()


@pytest.mark.parametrize("words", [("list",), ("routes",), ("list", "--graph"), ("up",)])
def test_no_command_prints_what_a_terminal_obeys(tmp_path: Path, words: tuple[str, ...]) -> None:
    make(tmp_path, "orders")
    answered_with(f"name: {ESCAPES}\nstack: python\n")(tmp_path / "orders")
    done = svcgen(*words, within=tmp_path)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\nfake 1 ready" not in done.stdout + done.stderr


def test_a_folder_that_a_terminal_obeys_is_shown_escaped(tmp_path: Path) -> None:
    make(tmp_path, "orders", folder="a\x1b[2Jb\nc")
    done = svcgen("list", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a\\x1b[2Jb\\nc" in done.stdout
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: ä\t→\n", "plain: ä\t→\n"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\rb\x00\x7f\x9b", "a\\rb\\x00\\x7f\\x9b"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        (os.fsdecode(b"caf\xe9"), "caf\\udce9"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_aliases_and_depth_within_the_limits_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("base: &base {a: 1}\nmore: {<<: *base, b: 2}\nlist: [*base, *base]\n")
    assert read_yaml(file)["more"] == {"a": 1, "b": 2}
    assert len(read_documents(file)) == 1
    file.write_text("[" * 90 + "]" * 90)
    assert read_yaml(file)
    file.write_text("a: [" + ", ".join(map(str, range(150_000))) + "]")
    assert len(read_yaml(file)["a"]) == 150_000, "a long file without aliases"


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", f"{BOMB}---\nb: 1"])
def test_what_is_beyond_the_limits_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(SvcgenError, match="alias"):
        read_documents(file)
