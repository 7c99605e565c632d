"""Waiting until containers are ready, and the error of one that does not become ready."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from svcgen.errors import SvcgenError
from svcgen.run.docker.containers import RUNNING, Container
from svcgen.run.docker.docker import container_log, last_lines, read_rest
from svcgen.run.engine import REPEAT, Report

LOOK = 0.5  # seconds between two observations: each one starts the docker program twice
LIMIT = 120.0  # seconds without any change until a start has failed
# Seconds without any change until "unhealthy" means failed: a busy machine is slower than the
# health check allows.
UNWELL = float(os.environ.get("SVCGEN_READY_SECONDS", "60"))
ENDED = {"exited", "dead"}
CRASHES = 3  # restarts in a row until a start has failed

Look = Callable[[], Sequence[Container]]


@dataclass
class _Progress:
    """What was reported of each service, and when the last change was."""

    report: Report
    began: float = field(default_factory=time.monotonic)
    changed: float = field(default_factory=time.monotonic)
    reported: dict[str, str] = field(default_factory=dict)

    def update(self, seen: Sequence[Container]) -> None:
        """Report each service whose state has changed."""
        for service, text in _states(seen).items():
            if self.reported.get(service) != text:
                self.reported[service], self.changed = text, time.monotonic()
                done = text in {"ready", "migrated"}
                took = f" after {self.changed - self.began:.1f} s" if done else ""
                self.report(service, text + took)


def wait_ready(look: Look, report: Report, starting: subprocess.Popen[str] | None = None) -> None:
    """Wait until all containers that `look` returns are ready and `starting` has ended well.

    Raises SvcgenError that names the first service that fails, with its exit code and last log
    lines; then `starting` has ended, too.
    """
    progress = _Progress(report)
    with starting or nullcontext():
        try:
            while not _done(look, progress, starting):
                time.sleep(LOOK)
        finally:
            if starting and starting.poll() is None:
                starting.terminate()


def _done(look: Look, progress: _Progress, starting: subprocess.Popen[str] | None) -> bool:
    code = starting.poll() if starting else 0  # before `look`, which then sees all that it made
    seen = look()
    progress.update(seen)
    quiet = time.monotonic() - progress.changed
    _require_none_failed(seen, patient=quiet < UNWELL)
    if code:
        raise _could_not_start(seen, starting)
    if code == 0 and all(container.ready for container in seen):
        return True
    if quiet > LIMIT:
        late = [container for container in seen if not container.ready]
        raise failure(late[0]) if late else SvcgenError("docker compose does not end.")
    return False


def _states(seen: Sequence[Container]) -> dict[str, str]:
    """Return the state of each service; `1 of 2 ready` while its replicas differ."""
    count, ready = Counter(container.service for container in seen), Counter[str]()
    ready.update(container.service for container in seen if container.ready)
    migrations = {container.service for container in seen if container.migration}
    states = {}
    for service, total in count.items():
        if ready[service] == total:
            states[service] = "migrated" if service in migrations else "ready"
        elif service in migrations:
            states[service] = "migrating"
        else:
            part = ready[service]
            states[service] = f"{part} of {total} ready" if part else "starting"
    return states


def _require_none_failed(seen: Sequence[Container], *, patient: bool) -> None:
    for container in seen:
        ended = container.status in ENDED and not container.ready
        unwell = container.status == RUNNING and container.health == "unhealthy" and not patient
        if unwell or (ended and not container.restarted) or container.restarts >= CRASHES:
            raise failure(container)


def failure(container: Container) -> SvcgenError:
    """Return the error of a container that failed, with its last lines."""
    log = container_log(container.id)
    shown = "\n".join(f"  {line}" for line in log.splitlines()) or "  (it logged nothing)"
    if "password authentication failed" in log:
        shown += (
            "\nThe database's volume has another password than `.svcgen/passwords.json`: that file "
            "was removed, or the volume is from another start. Restore the file, or delete the "
            "data: svcgen down --volumes"
        )
    return SvcgenError(
        f"{container.service} {_fate(container)}. Its last lines:\n{shown}",
        f"Read more: svcgen logs {container.service}. {REPEAT}",
    )


def _fate(container: Container) -> str:
    if container.status == RUNNING and container.restarts >= CRASHES:  # between two crashes
        return f"ended {container.restarts} times in a row"
    if container.status == RUNNING:
        return "runs, but does not become ready"
    repeated = f", {container.restarts + 1} times in a row" if container.restarts else ""
    return f"ended with exit code {container.exit_code}{repeated}"


def _could_not_start(
    seen: Sequence[Container], starting: subprocess.Popen[str] | None
) -> SvcgenError:
    output = last_lines(read_rest(starting.stderr if starting else None))
    named = next(
        (container for container in seen if container.service in output and not container.ready),
        None,
    )
    if named is not None and named.status in ENDED:
        return failure(named)
    return SvcgenError(f"docker compose could not start the fleet:\n{output}")
