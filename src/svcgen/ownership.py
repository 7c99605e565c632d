"""Whether svcgen may trust a directory: files of another user are refused, as git refuses them.

A command runs what it finds: a service's Makefile, a workspace's compose.yaml. Who may write to a
directory above the current one could so run programs as the user.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import safe_directories


def require_own(folder: Path, names: Iterable[str], workspace: Path) -> None:
    """Check that a folder's files belong to the user; those that do not exist are left out.

    `names` are relative to `folder`; "." is the folder itself. git's setting `safe.directory`
    allows other owners, for the folder or for its whole workspace. Raises SvcgenError.
    """
    for name in names:
        path = folder / name
        owner = _other_owner(path)
        if owner is not None and not _is_safe(folder) and not _is_safe(workspace):
            raise SvcgenError(
                f"{path} belongs to {_user(owner)}, and you are {_user(os.geteuid())}. "
                "svcgen runs programs that it finds there, so it refuses another user's.",
                f"If you trust them: git config --global --add safe.directory {workspace}",
            )


def _other_owner(path: Path) -> int | None:
    """Return the user to whom a file or the target of its link belongs, if it is another one."""
    try:
        owners = [path.lstat().st_uid, path.stat().st_uid]
    except OSError:  # it does not exist, or its link is broken: it cannot be read
        return None
    return next((owner for owner in owners if owner not in _accepted()), None)


def _accepted() -> set[int]:
    """Return the user, and for root below sudo the user who started it (git-config(1))."""
    users = {os.geteuid()}
    before_sudo = os.environ.get("SUDO_UID", "")
    if 0 in users and before_sudo.isdecimal():
        users.add(int(before_sudo))
    return users


def _is_safe(folder: Path) -> bool:
    """Return whether `safe.directory` names a folder: itself, one above it as `/above/*`, or `*`.

    As in git, an empty entry removes those before it.
    """
    listed: list[str] = []
    for entry in _safe_directories():
        listed = [*listed, entry] if entry else []
    real = str(folder.resolve())
    return any(
        entry == "*"
        or (entry.endswith("/*") and real.startswith(entry[:-1]))
        or real == os.path.realpath(Path(entry).expanduser())
        for entry in listed
    )


@cache
def _safe_directories() -> tuple[str, ...]:
    return safe_directories()


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
