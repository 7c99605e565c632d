"""Passwords of databases: made once and kept in a file that only its owner can read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic


def new_password(_name: str = "") -> str:
    """Return a new random password: 32 hexadecimal digits, so nothing of it is ever quoted."""
    return secrets.token_hex(16)


def stored_passwords(
    file: Path, names: Iterable[str], make: Callable[[str], str] = new_password
) -> dict[str, str]:
    """Return the passwords of a file by name, with one for each of `names`.

    A missing one is made by `make` and stored. Raises SvcgenError when the file cannot be read.
    """
    passwords = _read(file)
    missing = [name for name in names if name not in passwords]
    if missing:
        passwords |= {name: make(name) for name in missing}
        _write(file, passwords)
    return passwords


def has_password(file: Path, name: str) -> bool:
    """Report whether a file has a password for this name; one that cannot be read has none."""
    try:
        return name in _read(file)
    except SvcgenError:
        return False


def forget_password(file: Path, name: str) -> None:
    """Remove a password from a file; do nothing without one."""
    passwords = _read(file)
    if passwords.pop(name, None) is not None:
        _write(file, passwords)


def rename_password(file: Path, old: str, new: str) -> None:
    """Move a password to another name; do nothing without one."""
    passwords = _read(file)
    if old in passwords:
        passwords[new] = passwords.pop(old)
        _write(file, passwords)


def _write(file: Path, passwords: Mapping[str, str]) -> None:
    write_atomic(file, json.dumps(dict(sorted(passwords.items())), indent=2), 0o600)


def _read(file: Path) -> dict[str, str]:
    try:
        text = read_text(file)
        return {} if text is None else dict(json.loads(text))
    except (OSError, ValueError, TypeError) as error:
        raise SvcgenError(
            f"{file} cannot be read: {error}",
            "Restore it: the databases accept only its passwords. "
            "Without it: svcgen down --volumes, then delete the file.",
        ) from error
