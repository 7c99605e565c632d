"""Well-known ports, which two suites on one machine use in turn."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from svcgen.contract.expect import BrokenRuleError, NotRunError
from svcgen.contract.http import until
from svcgen.files import locked
from svcgen.ports import is_free

TIMEOUT = 5.0  # seconds to wait until another program frees the port


@contextlib.contextmanager
def exclusive_port(port: int) -> Iterator[None]:
    """Hold a port for this suite alone; NotRunError when another program listens on it."""
    with locked(Path(tempfile.gettempdir()) / f"svcgen-contract-{port}.lock", create=True):
        try:
            until(lambda: is_free(port), TIMEOUT)
        except BrokenRuleError as error:
            raise NotRunError(f"another program listens on port {port}") from error
        yield
