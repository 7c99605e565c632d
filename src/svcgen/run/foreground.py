"""The command of `svcgen run`: it has the terminal, and the signals that svcgen gets."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from svcgen.errors import SvcgenError

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2): sent to the process when its parent ends


def started(
    command: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the command with the shell's variables and the fleet's, which count more.

    Raises SvcgenError when it does not exist.
    """
    library, parent = ctypes.CDLL(None), os.getpid()

    def end_with_parent() -> None:
        # Linux; elsewhere a command outlives a killed svcgen. Nothing is imported after the fork.
        if hasattr(library, "prctl"):
            library.prctl(DEATH_SIGNAL, int(signal.SIGTERM))
            if os.getppid() != parent:  # it was killed in between
                os.kill(os.getpid(), signal.SIGTERM)

    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **variables},
            preexec_fn=end_with_parent,  # noqa: PLW1509 (no other thread runs yet)
        )
    except OSError as error:
        problem = f"`{command[0]}` cannot be started: {error.strerror}."
        raise SvcgenError(problem, "Correct the command after `--`.") from error


@dataclass
class ForegroundCommand:
    """The process of the terminal. A signal to `svcgen run` ends it, and not svcgen alone."""

    child: subprocess.Popen[bytes]
    signals: list[int] = field(default_factory=list)

    def wait(self) -> int:
        """Wait for its end; return its exit code, or 0 when the user has ended it."""
        with self._passing_signals():
            code = self.child.wait()
        if self.signals:
            return 0
        return code if code >= 0 else 128 - code

    @contextlib.contextmanager
    def _passing_signals(self) -> Iterator[None]:
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._pass_on) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)
        # A terminal sends Ctrl-C to all of its processes: the child has it already. `make`, which
        # relies on that, ends its own children after SIGTERM alone.
        if number != signal.SIGINT or not sys.stdin.isatty():
            self.child.terminate()
