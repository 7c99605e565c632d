"""The process that `tests.support.run` forks commands from: all is imported, nothing has run.

Each line of standard input is a request, a JSON object: the program, its words, its directory, its
environment and the files of its three streams. The answer is a line with the exit code.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from copier.__main__ import CopierApp  # type: ignore[attr-defined]  # its console script
from plumbum.machines import local

import svcgen
from svcgen.cli.app import main

PROGRAMS: dict[str, Callable[[], None]] = {"copier": CopierApp.run, "svcgen": main}
HEAVY = ("concurrent.futures.process", "rich.console", "typer.rich_utils")


def serve() -> None:
    """Answer requests until standard input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    import_all()
    gc.freeze()  # a child's collections then touch, and copy, no page of the parent
    while line := requests.readline():
        child = os.fork()
        if child == 0:
            requests.close()
            answers.close()
            run(json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(f"{code}\n")


def import_all() -> None:
    """Import svcgen's modules, and what they import only when they need it."""
    found = [module.name for module in pkgutil.walk_packages(svcgen.__path__, "svcgen.")]
    for name in (*HEAVY, *found):
        if name != "svcgen.__main__":
            importlib.import_module(name)


def run(request: dict[str, Any]) -> None:
    """Turn this process into the command; it ends with the command's exit code."""
    code = 70
    try:
        for number, path in enumerate(request["streams"]):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY), number)
        enter(request["directory"], request["environment"])
        # As a script has them: usage messages and worker processes look at both.
        sys.argv = [request["program"], *request["words"]]
        sys.modules["__main__"] = ModuleType("__main__")
        code = exit_code(PROGRAMS[request["program"]])
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def enter(directory: str, environment: dict[str, str]) -> None:
    """Take a directory and an environment; plumbum, which Copier runs git with, has copies."""
    os.environ.clear()
    os.environ.update(environment)
    local.env.clear()
    local.env.update(environment)
    local.cwd.chdir(directory)


def exit_code(command: Callable[[], None]) -> int:
    """Run the command and return its exit code, as the interpreter would."""
    try:
        command()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    serve()
