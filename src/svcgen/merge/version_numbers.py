"""Find the version numbers in a manifest's lines, and compare them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath

_NUMBER = r"\d+(?:\.\d+)*(?:[-+.~]?[A-Za-z][\w.+~-]*|[-+][\w.+-]+)?"
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
# In quotes: after an operator ("fastapi>=0.115", "^5.1", "pnpm@9"), or alone ("3.1.0").
_IN_QUOTES = re.compile(rf"(?:[<>=~^!@]\s*[\"']?v?|^[\"']v?(?=\d+\.))({_NUMBER})")
_ANYWHERE = {
    ".mod": re.compile(rf"(?:^go |^toolchain go|\sv)({_NUMBER})(?=\s|$)"),
    ".xml": re.compile(rf"<[\w.-]*[vV]ersion>\s*({_NUMBER})\s*</"),
}
_OTHER = re.compile(rf"(?:^|[\s<>=~^!@:\"'(])v?(?=\d+\.)({_NUMBER})")
_MASK = "\0"
_EXCLUDING = ("<", "<=", "!=")

_FINAL = {"final", "ga", "release", "jre", "android"}
_LATER = {"post", "rev", "r", "sp"}


def spans(path: str, line: str) -> list[tuple[int, int]]:
    """Return where the version numbers of one line of the manifest at `path` begin and end.

    Only what the format writes as a version counts, not a number in a setting.
    """
    kind = PurePosixPath(path).suffix
    if kind in {".json", ".toml"}:
        return [
            (quoted.start() + found.start(1), quoted.start() + found.end(1))
            for quoted in _QUOTED.finditer(line)
            for found in _IN_QUOTES.finditer(quoted.group())
        ]
    return [found.span(1) for found in _ANYWHERE.get(kind, _OTHER).finditer(line)]


def numbers(path: str, line: str) -> tuple[str, ...]:
    """Return the version numbers of a line."""
    return tuple(line[start:end] for start, end in spans(path, line))


def upper_bounds(path: str, line: str) -> tuple[str, ...]:
    """Return the version numbers of a line that exclude versions: after `<`, `<=` or `!=`."""
    before = ((line[:start].rstrip(" \"'v"), line[start:end]) for start, end in spans(path, line))
    return tuple(number for text, number in before if text.endswith(_EXCLUDING))


def with_numbers(path: str, line: str, given: Sequence[str]) -> str:
    """Return the line with other version numbers, as many as it has."""
    found = spans(path, line)
    ends = [0, *(at for span in found for at in span), len(line)]
    around = [line[start:end] for start, end in list(pairwise(ends))[::2]]
    return "".join(text + number for text, number in zip(around, [*given, ""], strict=True))


@lru_cache(maxsize=4096)  # three versions of a manifest, and those of a fleet, share most lines
def without_numbers(path: str, line: str) -> str:
    """Return a line with masked versions, and without the comma at its end."""
    masks = [_MASK] * len(spans(path, line))
    masked = with_numbers(path, line, masks) if masks else line
    return masked.rstrip().removesuffix(",")


def compare(line: Sequence[str], other: Sequence[str]) -> int | None:
    """Return 1, 0 or -1: which line has the higher versions; None when both have one."""
    ranks = ((_rank(number), _rank(against)) for number, against in zip(line, other, strict=True))
    order = {(rank > against) - (rank < against) for rank, against in ranks} - {0}
    return None if len(order) > 1 else next(iter(order), 0)


_Part = tuple[int, int, str]


def _rank(number: str) -> tuple[list[_Part], int, list[_Part]]:
    """Order 1.2rc1, 1.2-beta.1 before 1.2, 1.2.0 and 1.2.Final, and those before 1.2.post1."""
    digits = re.match(r"[\d.]*\d", number)
    release = digits.group() if digits else ""
    rest = number[len(release) :].partition("+")[0].lower()
    stage = list(_parts(rest))
    words = {word for _, _, word in stage}
    if not stage or words & _FINAL:
        stage, when = [], 0
    else:
        when = 1 if words & _LATER else -1
    parts = list(_parts(release))
    while parts and parts[-1][1:] == (0, ""):
        parts.pop()
    return parts, when, stage


def _parts(text: str) -> Iterator[_Part]:
    """Yield digits by value, as (0, length, digits), and words as (1, 0, word)."""
    for part in re.findall(r"\d+|[a-z]+", text):
        digits = part.lstrip("0")
        yield (0, len(digits), digits) if part.isdigit() else (1, 0, part)
