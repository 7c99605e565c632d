"""Requests that schemathesis makes from a service's openapi.json, as a check.

The data is the same in each run: a finding is of the change, not of chance.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from svcgen.contract.check import Check
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.targets.base import DATABASE

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def check_document(context: CheckContext) -> None:
    """Expect that the service does what its document says."""
    address = context.address
    url = f"http://{address.host}:{address.port}/openapi.json"
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(CONFIGURATION), "run", url, "--no-color"]
    with tempfile.TemporaryDirectory() as folder:  # for what it keeps of this run
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    expect(done.returncode == 0, f"{done.stdout[-8_000:]}{done.stderr}")


SCHEMATHESIS = Check(
    "schemathesis",
    "requests made from openapi.json are answered as it says",
    check_document,
    frozenset({DATABASE}),  # it refuses texts that a service in memory keeps
)
