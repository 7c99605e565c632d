"""How files get to their place: staging directories, atomic writes and locks.

A reader sees the old file or the new one, never half of one. Nothing else in svcgen renames into
place or locks a file.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from svcgen.errors import SvcgenError

LARGEST = 16 * 2**20  # bytes of a file that svcgen parses: the largest OpenAPI documents have 12 MB
_PREFIX = ".svcgen-new-"


@contextmanager
def staged(parent: Path, advice: str = "") -> Iterator[Path]:
    """Yield a new staging directory below `parent`; `move_into_place` takes what is made in it.

    The directory is removed at the end, and so are the parents that were made for it and are
    empty. Staging directories that a killed process left are removed first. Raises SvcgenError
    with the advice when `parent` cannot be written.
    """
    try:
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        remove_stale_directories(parent)
        staging, handle = _locked_directory(parent)
    except OSError as error:
        problem = f"Nothing can be written to {parent}: {error.strerror}."
        raise SvcgenError(problem, advice) from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # the first parent that is not empty
            for folder in missing:
                folder.rmdir()


def move_into_place(made: Path, target: Path) -> None:
    """Rename a finished file or directory to its final path, in one step.

    A directory replaces nothing, or an empty directory (rename(2)). Raises OSError.
    """
    os.rename(made, target)  # noqa: PTH104 (Path.rename documents no rule for an empty directory)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; the file made there replaces `path` at the end.

    When the block raises, the temporary file is removed and `path` stays as it was.
    """
    remove_stale(path)
    temporary = path.with_name(f"{_temporary_prefix(path)}{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk fails a write, which knows only its number
        raise


def write_atomic(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file in one step: readers see the old content or the new one.

    `mode` is the exact permission, whatever the umask; None leaves it to the umask, and to the
    file that is replaced. Raises OSError.
    """
    data = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o666 if mode is None else mode & 0o700)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            if mode is not None:
                os.fchmod(stream.fileno(), mode)


def remove_stale(path: Path) -> None:
    """Remove the temporary files of `path` that killed processes left."""
    prefix = _temporary_prefix(path)
    for stale in path.parent.glob(f"{prefix}*"):
        number = stale.name.removeprefix(prefix)
        if not number.isdecimal() or int(number) == os.getpid() or not _is_running(int(number)):
            stale.unlink(missing_ok=True)


def remove_stale_directories(parent: Path) -> None:
    """Remove the staging directories of killed processes: no process holds their lock."""
    for stale in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, removed by another process, of another user, or a file
            handle = os.open(stale, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(stale, ignore_errors=True)
            finally:
                os.close(handle)


def read_text(path: Path) -> str | None:
    """Return the text of a file; None when the file does not exist.

    Raises OSError and ValueError as `read_file` does, and for a text that is not UTF-8.
    """
    try:
        return read_file(path).decode()
    except FileNotFoundError:
        return None


def read_file(path: Path, limit: int = LARGEST) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    A FIFO would block for ever, and a device such as /dev/zero never ends: they are not read, also
    through a symbolic link. Raises OSError, and ValueError for anything else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NoRegularFileError("it is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise NoRegularFileError(f"it is larger than {limit // 2**20} MiB")
    return content


class NoRegularFileError(ValueError):
    """A path that svcgen does not read: a device, a FIFO, or a file that is too large."""


@contextmanager
def locked(
    path: Path, *, shared: bool = False, wait: bool = True, create: bool = False
) -> Iterator[int]:
    """Hold the lock (flock(2)) of a file or directory; yield its open file descriptor.

    With `create` a missing file is made, readable to its owner. The kernel frees the lock when the
    last process that has the descriptor open ends. Raises BlockingIOError when another process
    holds it and `wait` is false, else OSError.
    """
    flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    descriptor = os.open(path, flags, 0o600)
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked_directory(parent: Path) -> tuple[Path, int]:
    """Make a directory and lock it; try again when another process removed it as stale."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with suppress(FileNotFoundError):
            handle = os.open(staging, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if staging.exists():
                return staging, handle
            os.close(handle)


def allow_open_files(wanted: int) -> int:
    """Raise the limit of open files towards `wanted`; return the limit that now holds.

    It is that of this process and of those that it starts. It is 1,024 in most shells, which a
    service with 1,000 clients exceeds; the hard limit is often far above it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _temporary_prefix(path: Path) -> str:
    """Return what the temporary names of a file begin with: short, however long its name is."""
    digest = sha256(os.fsencode(path.name)).hexdigest()[:16]
    return f"{_PREFIX}{digest}-"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True
