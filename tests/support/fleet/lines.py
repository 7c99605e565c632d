"""Changes of single files, line by line: what the template's authors and a service's owners do."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from random import Random

Lines = list[str]

_AROUND = {
    ".go": ("// ", ""),
    ".ts": ("// ", ""),
    ".java": ("// ", ""),
    ".mod": ("// ", ""),
    ".sql": ("-- ", ""),
    ".md": ("<!-- ", " -->"),
    ".xml": ("<!-- ", " -->"),
    ".mustache": ("// ", ""),
}
# Without comments, or written by a program: nobody changes single lines of these.
_WHOLE = {".json", ".sum", ".txt", ".config"}

# The list of dependencies in each manifest: the lines before and after it, and one entry.
_LISTS = {
    "pyproject.toml": ("dependencies = [", "]", '    "{name}>=1.0",'),
    "go.mod": ("require (", ")", "\tgithub.com/{name}/lib v1.0.0"),
    "package.json": ('  "dependencies": {', "  }", '    "{name}": "^1.0.0",'),
    "pom.xml": (
        "  <dependencies>",
        "  </dependencies>",
        "    <dependency>\n      <groupId>example</groupId>\n"
        "      <artifactId>{name}</artifactId>\n    </dependency>",
    ),
}


def can_change(path: str) -> bool:
    """Tell whether single lines of this file are ever changed by hand."""
    return not {".json", *_WHOLE} & set(PurePosixPath(path.removesuffix(".jinja")).suffixes)


def remark(path: str, word: str) -> str:
    """Return a comment as the language of this file has it."""
    before, after = _AROUND.get(PurePosixPath(path.removesuffix(".jinja")).suffix, ("# ", ""))
    return f"{before}{word}{after}"


def insert(lines: Lines, path: str, at: int, word: str, draw: Random) -> Lines:
    """Put one to three new lines after a line."""
    added = [
        f"{_indent(lines[at])}{remark(path, f'{word}.{n}')}" for n in range(draw.randint(1, 3))
    ]
    return [*lines[: at + 1], *added, *lines[at + 1 :]]


def change(lines: Lines, path: str, at: int, word: str, _: Random) -> Lines:
    """Make a line another one."""
    return [*lines[:at], f"{lines[at]} {remark(path, word)}".lstrip(" "), *lines[at + 1 :]]


def delete(lines: Lines, _path: str, at: int, _word: str, _: Random) -> Lines:
    """Leave a line out."""
    return [*lines[:at], *lines[at + 1 :]]


def move(lines: Lines, path: str, at: int, word: str, draw: Random) -> Lines:
    """Carry a block of four lines elsewhere, and say so in a new line."""
    block, rest = lines[at : at + 4], [*lines[:at], *lines[at + 4 :]]
    to = draw.randrange(len(rest) + 1)
    return [*rest[:to], remark(path, word), *block, *rest[to:]]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def bump(text: str, name: str, by: int) -> str:
    """Raise the second number of a dependency's version, wherever a file names it.

    A negative number lowers it, down to 0.
    """
    pattern = rf"({re.escape(name)}\W{{1,4}}v?\d+\.)(\d+)"
    return re.sub(pattern, lambda found: f"{found[1]}{max(0, int(found[2]) + by)}", text)


def cap(text: str, name: str) -> str:
    """Give a dependency of Python an upper bound where it has none."""
    return re.sub(rf'("{re.escape(name)}>=[\d.]+)"', r'\1,<999"', text)


def pin(text: str, name: str) -> str:
    """Allow one version of a dependency, where a range was allowed."""
    pinned = re.sub(rf'("{re.escape(name)})>=([\d.]+)"', r'\1==\2"', text)
    return re.sub(rf'({re.escape(name)}: ")[\^~]', r"\1", pinned)


def add_dependency(text: str, path: str, name: str, draw: Random) -> str:
    """Add a dependency to the list of a manifest: as its first, as its last, or by the alphabet."""
    opening, closing, entry = _LISTS[PurePosixPath(path.removesuffix(".jinja")).name]
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines, 1) if line.startswith(opening)), 0)
    end = next((at for at in range(first, len(lines)) if lines[at].startswith(closing)), 0)
    if not (first and end):
        return text  # another edit has taken away a line that it goes by
    added = entry.format(name=name).split("\n")
    after = next((at for at in range(first, end) if lines[at].lower() > added[0].lower()), end)
    at = draw.choice((first, end) if len(added) > 1 else (first, end, after))
    if at == end and lines[end - 1].startswith('    "') and lines[end - 1].endswith('"'):
        lines[end - 1] += ","  # the last entry of JSON has no comma
        added[-1] = added[-1].removesuffix(",")
    return "\n".join([*lines[:at], *added, *lines[at:]])


def free_positions(text: str) -> list[int]:
    """Return the lines of a Jinja file that neither have a tag nor stand within one."""
    covered = [
        found.span() for found in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", text, re.S)
    ]
    free, start = [], 0
    for number, line in enumerate(text.split("\n")):
        end = start + len(line)
        if line and not any(one < end and start < other for one, other in covered):
            free.append(number)
        start = end + 1
    return free
