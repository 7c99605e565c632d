"""Well-known ports, which two suites on one machine use in turn."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from svcgen.contract.expect import BrokenRuleError, NotRunError
from svcgen.contract.http import until

PATIENCE = 5.0  # seconds to wait until another program frees the port


@contextlib.contextmanager
def exclusive_port(port: int) -> Iterator[None]:
    """Hold a port for this suite alone; NotRunError when another program listens on it."""
    with (Path(tempfile.gettempdir()) / f"svcgen-contract-{port}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            until(lambda: not _taken(port), PATIENCE)
        except BrokenRuleError as error:
            raise NotRunError(f"another program listens on port {port}") from error
        yield


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
