"""Run the commands of svcgen in a temporary workspace and count the functions that they enter.

As a program it is one such command: `entered.py RECORD SOURCE ARGUMENT...` runs `python -m svcgen
ARGUMENT...` from SOURCE, and appends each function of svcgen that is entered to RECORD.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

PACKAGE = "svcgen"
OLD_VERSION = "v1.2.0"  # of the template; the measured update starts from it
COMMAND_SECONDS = 600
IS_FUNCTION = 0x1  # CO_OPTIMIZED: neither a module nor the body of a class


@dataclass(frozen=True)
class Entered:
    """What a command entered, in its own process and in those that it forked.

    `functions` are distinct functions, `modules` those that define them. `with_class_bodies` counts
    the bodies of classes too, which run once when their module is imported.
    """

    modules: int
    functions: int
    with_class_bodies: int


@dataclass(frozen=True)
class Skipped:
    """A command that could not be measured, and why."""

    reason: str


class Sandbox:
    """A temporary workspace in which the commands of one source tree run."""

    def __init__(self, root: Path, source: Path) -> None:
        self._record = root / "record"
        self._source = source
        self._workspace = root / "workspace"
        self._workspace.mkdir()
        git_settings = root / "gitconfig"
        git_settings.write_text("[user]\nname = svcgen\nemail = svcgen@example.com\n")
        copier_settings = root / "settings.yml"
        copier_settings.write_text("{}\n")
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(source),
            "GIT_CONFIG_GLOBAL": str(git_settings),
            "COPIER_SETTINGS_PATH": str(copier_settings),
            "SVCGEN_CACHE_DIR": str(root / "cache"),
        }

    def run(self, *command: str) -> None:
        """Run a program in the workspace; raise CalledProcessError if it fails."""
        try:
            subprocess.run(
                command, cwd=self._workspace, env=self._environment, check=True,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr.decode(errors="replace"))
            raise

    def svcgen(self, *arguments: str) -> Entered:
        """Run `svcgen ARGUMENTS` and count what it enters; raise CalledProcessError if it fails."""
        self._record.unlink(missing_ok=True)
        script = str(Path(__file__).resolve())
        self.run(sys.executable, script, str(self._record), str(self._source), *arguments)
        bodies = {tuple(line.split("\t")) for line in self._record.read_text().splitlines()}
        functions = [file for kind, file, _ in bodies if kind == "function"]
        return Entered(len(set(functions)), len(functions), len(bodies))


def run_commands(sandbox: Sandbox) -> dict[str, Entered | Skipped]:
    """Measure each command in one workspace: two services and, for `update`, an older third one."""
    sandbox.run("git", "init", "--quiet")
    sandbox.svcgen("new", "catalog", "--yes")
    entered: dict[str, Entered | Skipped] = {}
    entered["new"] = sandbox.svcgen("new", "orders", "--calls", "catalog", "--yes")
    entered["compose"] = sandbox.svcgen("compose")
    entered["up NAME"] = run_up(sandbox)
    sandbox.svcgen("new", "billing", "--yes", "--ref", OLD_VERSION)
    sandbox.run("git", "add", "--all")
    sandbox.run("git", "commit", "--quiet", "--message", "Add services")
    entered["update NAME"] = sandbox.svcgen("update", "billing")
    return entered


def run_up(sandbox: Sandbox) -> Entered | Skipped:
    """Measure `up NAME` in a running fleet of local processes; the supervisor does not count."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    try:
        sandbox.svcgen("up", "--engine", "local", "--port", port)
        entered = sandbox.svcgen("up", "orders", "--engine", "local")
        sandbox.svcgen("down")
    except subprocess.CalledProcessError as error:
        with contextlib.suppress(subprocess.CalledProcessError):
            sandbox.svcgen("down")
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        failures = [line for line in lines if line.startswith("Error:")] or lines[-1:]
        return Skipped(failures[0] if failures else f"exit code {error.returncode}")
    return entered


def record_functions(record: Path, source: Path) -> None:
    """Append each function and class body of svcgen that this process enters to a file, once.

    A forked process inherits the profile function. Each line is written at once, because workers
    end without running exit handlers.
    """
    import multiprocessing
    import threading

    multiprocessing.set_start_method("fork")  # Python 3.14 starts workers without the profile
    output = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    prefix = f"{source / PACKAGE}{os.sep}"
    seen: set[CodeType] = set()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or code in seen:
            return
        seen.add(code)
        name = code.co_qualname
        # A lambda or a comprehension ends with ">" and belongs to the function around it.
        if code.co_filename.startswith(prefix) and not name.endswith(">"):
            kind = "function" if code.co_flags & IS_FUNCTION else "class"
            os.write(output, f"{kind}\t{code.co_filename}\t{name}\n".encode())

    threading.setprofile(profile)
    sys.setprofile(profile)


if __name__ == "__main__":
    record_functions(Path(sys.argv[1]), Path(sys.argv[2]))
    del sys.argv[1:3]
    runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)
