"""Services of this template: the choices of answers, what each renders, and its files."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from svcgen.files import locked
from svcgen.render.render import render_service
from tests.support.repository import COPIER_YML, STACKS

Tree = dict[str, bytes]
Choice = tuple[str, str, tuple[str, ...]]
Rendered = Callable[..., Path]

DATABASES: tuple[str, ...] = tuple(COPIER_YML["database"]["choices"].values())
CALLS: tuple[tuple[str, ...], ...] = ((), ("catalog",), ("order-items", "catalog"))
PAIRS = list(itertools.product(STACKS, DATABASES))
CHOICES: list[Choice] = list(itertools.product(STACKS, DATABASES, CALLS))
# Each stack with each database, each database with each list of calls.
COVERING: list[Choice] = [
    (*pair, calls) for pair, calls in zip(PAIRS, itertools.cycle(CALLS), strict=False)
]
# The chart's templates are the same in every stack: all choices of one stack, one of each other.
CHARTS: list[Choice] = [
    choice
    for choice in CHOICES
    if choice[0] == STACKS[0] or choice[1:] == (DATABASES[-1], CALLS[-1])
]


def answers_of(choice: Choice) -> dict[str, object]:
    """Return the answers of a choice, for a service with the name `orders`."""
    stack, database, calls = choice
    return {"name": "orders", "stack": stack, "database": database, "calls": list(calls)}


def rendered_below(root: Path) -> Rendered:
    """Return a function that renders answers once below `root`, and returns the service's folder.

    Processes share what is below `root`: a test that changes a service works on a copy.
    """

    def rendered(**answers: object) -> Path:
        key = sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]
        folder = root / key / str(answers["name"])
        with locked(root / f"{key}.lock", create=True):
            if not folder.parent.exists():
                unfinished = root / f"{key}-{os.getpid()}"
                render_service(unfinished / folder.name, answers)
                unfinished.rename(folder.parent)
        return folder

    return rendered


def copied(service: Path, folder: Path) -> Path:
    """Copy a service to a folder that a test may change."""
    return shutil.copytree(service, folder, symlinks=True)


def tree(folder: Path) -> Tree:
    """Return the contents of all files below a folder, but for git's own, by path."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def is_source(path: Path) -> bool:
    """Tell whether a path holds what runs and is read: not tests, chart and generated clients."""
    if "clients" in path.parts:
        return False
    test = "tests" in path.parts or "test" in path.parts or path.stem.endswith("_test")
    return path.suffix in {".py", ".go", ".ts", ".java", ".sql"} and not test
