"""Each command once in a real process: other tests fork it from a process that is warm."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from svcgen.cli.app import app
from tests.support.run import svcgen, svcgen_process
from tests.support.workspaces import make

# A command, and the exit code that it has where nothing runs and nothing is in git.
COMMANDS = {
    "new stock --yes": 0,
    "list": 0,
    "questions": 0,
    "compose": 0,
    "routes": 0,
    "routes --live": 1,
    "routes /v1/orders --live": 2,
    "routes --for 2s": 2,
    "routes --live --for 10ms": 2,
    "up --engine local --scale nobody=2": 1,
    "down": 0,
    "ps": 0,
    "logs": 0,
    "restart orders": 1,
    "env nobody": 1,
    "run orders": 1,
    "token --sub ann --for 25h": 1,
    "cert --host a_b": 2,
    "update orders": 1,
    "drift orders": 1,
    "verify ./nowhere": 1,
    "doctor nobody": 2,
    "reconfigure orders": 2,
    "adopt nowhere": 1,
    "rename orders sales": 1,
    "remove orders": 1,
    "demo --port 0": 2,
    "key add partners a:b": 1,
    "key list": 0,
    "key revoke partners acme": 1,
    "template init acme --ref v0.0.1": 1,
    "template versions": 0,
    "template check nowhere": 1,
    "template release v1.0.0": 1,
    "template upgrade v1.0.0": 1,
}


def test_each_command_has_a_row() -> None:
    assert {words(command)[0] for command in COMMANDS} == set(names(get_command(app)))


def names(group: object, prefix: str = "") -> list[str]:
    """Return the names of all commands, those of `template` and `key` with this word."""
    commands: dict[str, object] = getattr(group, "commands", {})
    if not commands:
        return [prefix.strip()]
    return [name for word, below in commands.items() for name in names(below, f"{prefix} {word}")]


def words(command: str) -> tuple[str, list[str]]:
    """Return a command's name and its words."""
    split = command.split()
    return " ".join(split[: 2 if split[0] in {"template", "key"} else 1]), split


@pytest.mark.parametrize("command", COMMANDS)
def test_a_real_process_does_what_a_forked_one_does(command: str, tmp_path: Path) -> None:
    results = []
    for way in (svcgen, svcgen_process):
        workspace = tmp_path / way.__name__ / "shop"
        make(workspace, "orders")
        done = way(*words(command)[1], within=workspace)
        assert "Traceback" not in done.stderr
        results.append((done.returncode, done.stdout, done.stderr.replace(way.__name__, "")))
    forked, real = results
    assert real[0] == COMMANDS[command], real
    assert (forked[0], forked[1]) == (real[0], real[1])
    assert bool(forked[2]) == bool(real[2])
