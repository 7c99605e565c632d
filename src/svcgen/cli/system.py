"""What the machine may lack or deny: an open stream, the current directory, space on the disk."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from svcgen.errors import SvcgenError

_DENIED = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR),
    }
)


def open_streams() -> None:
    """Open the null device for each standard stream that is closed (`<&-`), as in cron.

    Without it, the next opened file gets the number of that stream, and Python has None for it.
    """
    handle = os.open(os.devnull, os.O_RDWR)
    while handle <= 2:  # noqa: PLR2004 (standard error)
        os.set_inheritable(handle, True)
        handle = os.open(os.devnull, os.O_RDWR)
    os.close(handle)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def denied(error: OSError) -> SvcgenError | None:
    """Return the message for what the machine denied; None when the error may be a bug."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    if error.errno in _DENIED:
        where = (
            f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        )
        advice = "Free space on that disk, then run the command again." if full else ""
        return SvcgenError(f"{where}{error.strerror}.", advice)
    try:
        Path.cwd()
    except FileNotFoundError:
        return SvcgenError("The current directory no longer exists.", "Change to another one: cd")
    return None
