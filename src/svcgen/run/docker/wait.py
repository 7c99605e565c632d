"""Waiting until containers do their work, and saying which one does not, and why."""

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
from svcgen.run.docker.docker import last_lines, last_words, read_rest
from svcgen.run.engine import Report

LOOK = 0.5  # seconds between two looks: each one starts the docker program twice
LIMIT = 120.0  # seconds without any change until a start counts as failed
UNWELL = float(os.environ.get("SVCGEN_READY_SECONDS", "60"))  # a busy machine is slower than
# the health check allows; so long nothing must have changed until unhealthy means failed
CRASHES = 3  # so many ends in a row are no accident

Look = Callable[[], Sequence[Container]]


@dataclass
class _Progress:
    """What was told so far, and when the last thing happened."""

    report: Report
    began: float = field(default_factory=time.monotonic)
    changed: float = field(default_factory=time.monotonic)
    told: dict[str, str] = field(default_factory=dict)

    def tell(self, seen: Sequence[Container]) -> None:
        """Report each service whose state is not what it was."""
        for service, text in _states(seen).items():
            if self.told.get(service) != text:
                self.told[service], self.changed = text, time.monotonic()
                done = text in {"ready", "migrated"}
                took = f" after {self.changed - self.began:.1f} s" if done else ""
                self.report(service, text + took)


def wait_ready(look: Look, report: Report, starting: subprocess.Popen[str] | None = None) -> None:
    """Wait until all containers that `look` returns are ready and `starting` has ended well.

    Raises SvcgenError that names the first service that fails, with its exit and last log lines;
    `starting` has ended then, too.
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
    code = starting.poll() if starting else 0  # asked first: what it made is then seen
    seen = look()
    progress.tell(seen)
    quiet = time.monotonic() - progress.changed
    _require_none_failed(seen, patient=quiet < UNWELL)
    if code:
        raise _could_not_start(seen, starting)
    if code == 0 and all(container.ready for container in seen):
        return True
    if quiet > LIMIT:
        raise _late(seen)
    return False


def _states(seen: Sequence[Container]) -> dict[str, str]:
    """Say of each service how far it is; `1 of 2 ready` while its replicas differ."""
    count, ready = Counter(one.service for one in seen), Counter[str]()
    ready.update(one.service for one in seen if one.ready)
    migrations = {one.service for one in seen if one.migration}
    states = {}
    for service, all_of_it in count.items():
        if ready[service] == all_of_it:
            states[service] = "migrated" if service in migrations else "ready"
        elif service in migrations:
            states[service] = "migrating"
        else:
            part = ready[service]
            states[service] = f"{part} of {all_of_it} ready" if part else "starting"
    return states


def _require_none_failed(seen: Sequence[Container], *, patient: bool) -> None:
    for container in seen:
        ended = container.status in {"exited", "dead"} and not container.ready
        unwell = container.status == RUNNING and container.health == "unhealthy" and not patient
        if unwell or (ended and not container.restarted) or container.restarts >= CRASHES:
            raise failure(container)


def failure(container: Container) -> SvcgenError:
    """Say how a container failed, with its last lines."""
    words = last_words(container.id)
    shown = "\n".join(f"  {line}" for line in words.splitlines()) or "  (it logged nothing)"
    return SvcgenError(
        f"{container.service} {_fate(container)}. Its last lines:\n{shown}",
        f"`svcgen logs {container.service}` shows more; `svcgen up` tries again.",
    )


def _fate(container: Container) -> str:
    if container.status == RUNNING and container.restarts >= CRASHES:  # seen between two ends
        return f"ended {container.restarts} times in a row"
    if container.status == RUNNING:
        return "runs, but does not become ready"
    again = f", {container.restarts + 1} times in a row" if container.restarts else ""
    return f"ended with exit code {container.exit_code}{again}"


def _could_not_start(
    seen: Sequence[Container], starting: subprocess.Popen[str] | None
) -> SvcgenError:
    words = last_lines(read_rest(starting.stderr if starting else None))
    culprit = next((one for one in seen if one.service in words and not one.ready), None)
    if culprit is not None and not culprit.runs:
        return failure(culprit)
    return SvcgenError(f"docker compose could not start the fleet:\n{words}")


def _late(seen: Sequence[Container]) -> SvcgenError:
    late = [container for container in seen if not container.ready]
    return failure(late[0]) if late else SvcgenError("docker compose does not end.")
