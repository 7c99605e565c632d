"""The `.env` of a service's folder: variables of the process, as Compose's `env_file` gives them.

Compose replaces `$NAME` in it. What would differ from Compose is refused, so that both engines give
a service the same values.
"""

from __future__ import annotations

import re
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import read_text

ENV_FILE = ".env"
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_ENTRY = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>(?!export\b)[A-Za-z_][A-Za-z0-9_]*)[ \t]*
    (?P<sign>=[ \t]*(?:
        '(?P<literal>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<plain>[^'"\n][^\n]*)?
    ))?
    [ \t]*(?:\#[^\n]*)?(?P<end>\r?\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r" #.*")
# Compose trims or cuts these in a value without quotes in its own way.
_AMBIGUOUS = re.compile(r"^[#'\"]|\t#|[^\S \t]|[\x00-\x08\x0e-\x1f\x7f]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}

Values = dict[str, str | None]
"""Variables by name; None: from the shell, if it has the variable."""


def read_env_file(folder: Path) -> Values:
    """Return the variables of a folder's `.env`; none without the file.

    Raises SvcgenError that names the line which is not NAME=VALUE, or which Compose would change.
    """
    try:
        text = read_text(folder / ENV_FILE) or ""
    except (OSError, ValueError) as error:
        raise SvcgenError(f"it cannot be read: {error}.") from error
    values: Values = {}
    place = 0
    while place < len(text):
        if empty := _EMPTY.match(text, place):
            place = max(empty.end(), place + 1)
            continue
        line = text.count("\n", 0, place) + 1
        found = _ENTRY.match(text, place)
        if not found:
            raise SvcgenError(f"line {line} is not NAME=VALUE, with the value in '...' or \"...\".")
        values[found["name"]] = _value(found, line)
        place = found.end()
    return values


def _value(found: re.Match[str], line: int) -> str | None:
    if found["sign"] is None:
        if not found["end"]:  # Compose would read a variable without a name
            raise SvcgenError(f"line {line}: end the last line with a line feed.")
        return None
    if "\r" in (found["literal"] or found["quoted"] or ""):
        raise SvcgenError(f"line {line}: save the file with LF as the end of a line, not CR LF.")
    if found["literal"] is not None:
        return found["literal"]
    if found["quoted"] is not None:
        return _unescaped(found["quoted"], line)
    return _plain((found["plain"] or "").strip(" \t\r"), line)


def _plain(text: str, line: int) -> str:
    if _AMBIGUOUS.search(text):
        raise SvcgenError(f"line {line}: write the value in '...': Compose would change it.")
    value = _COMMENT.sub("", text).strip(" \t")
    _refuse_variables(value, line)
    return value


def _unescaped(quoted: str, line: int) -> str:
    _refuse_variables(_ESCAPE.sub("", quoted), line)
    for escaped in _ESCAPE.findall(quoted):
        if escaped not in _ESCAPED:
            raise SvcgenError(f"line {line}: write \\{escaped} as \\\\{escaped}, or use '...'.")
    return _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], quoted)


def _refuse_variables(value: str, line: int) -> None:
    if "$" in value:
        raise SvcgenError(f"line {line}: Compose would replace the `$`; write the value in '...'.")


def line(name: str, value: str) -> str:
    """Return a line that Compose and `read_env_file` read as this variable."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=?&-]*", value):
        return f"{name}={value}"
    escaped = re.sub(r'[\\"$]', r"\\\g<0>", value)
    return f'{name}="{escaped}"'
