"""Waiting until the gateway of a running fleet uses a file that says who may call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.gateway.admin import acknowledged, read_stats, waiting
from svcgen.gateway.apply import ACCESS_FILE
from svcgen.run.local.paths import Paths
from svcgen.run.memory import recall


def wait_for_gateway(root: Path) -> Callable[[str], None]:
    """Return a function that waits until the gateway uses a file, given the file's name.

    Call it before the file is written. Without a gateway there is nothing to wait for.
    """
    paths = Paths(root)
    if paths.state_file.exists():
        return wait_for_local(paths)
    if recall(root).engine == "docker":
        from svcgen.run.docker.containers import observe
        from svcgen.run.docker.gateway import wait_applied, wait_issuers

        with suppress(SvcgenError):  # without Docker there is not a gateway either
            gateway = observe(root).gateway
            applied, issuers = wait_applied(gateway), wait_issuers(gateway)
            return lambda name: issuers(name) if name == ACCESS_FILE else applied(name)
    return waiting(0.0)


def wait_for_local(paths: Paths) -> Callable[[str], None]:
    """Return the same function for the local engine's gateway."""
    try:
        return acknowledged(lambda: read_stats(paths.admin))
    except SvcgenError:  # it does not run, or is starting or ending: it reads files when it starts
        return waiting(0.0)
