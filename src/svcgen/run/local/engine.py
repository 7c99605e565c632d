"""The local engine as commands see it: they talk to a supervisor that stays behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import FleetRequest, LogLine, Replica, Report
from svcgen.run.local.logs import last_lines, read_logs
from svcgen.run.local.paths import Paths, clear_state
from svcgen.run.local.protocol import AbsentError, ask
from svcgen.run.local.request import build_request
from svcgen.workspace import state_folder

if TYPE_CHECKING:
    from svcgen.run.local.processes import LabelledProcess

START_SECONDS = 30.0
DOWN_SECONDS = 60.0
STATUS_SECONDS = 10.0
GRACE_SECONDS = 8.0
GONE_SECONDS = 5.0
LOOK_SECONDS = 0.05


class LocalEngine:
    """Runs the fleet of one workspace root as processes of this machine."""

    name = "local"

    def __init__(self, root: Path) -> None:
        self._paths = Paths(root.resolve())

    def running(self) -> bool:
        """Tell whether a supervisor answers, or processes of a killed one are left."""
        if not self._paths.state_file.exists():
            return False
        return self._status() is not None or bool(self._left())

    def port(self) -> int | None:
        """Return the gateway's port on 127.0.0.1, None when no gateway runs."""
        status = self._status()
        return status["port"] if status else None

    def up(self, fleet: FleetRequest, report: Report) -> None:
        """Bring up what does not run, scale, take away what is gone; return when all is ready."""
        request = build_request(fleet, self._paths, (self._status() or {}).get("internal", {}))
        self._begin()
        self._ask({"do": "up", "request": request.document()}, report)

    def replace(self, fleet: FleetRequest, name: str, report: Report) -> None:
        """Put new replicas of one service in the place of the old ones, losing no request."""
        status = self._needed()
        fleet = _narrowed(fleet, {*status["services"], name})
        request = build_request(fleet, self._paths, status["internal"])
        self._ask({"do": "replace", "name": name, "request": request.document()}, report)

    def restart(self, name: str, report: Report) -> None:
        """Put fresh replicas of the same service in the place of the old ones."""
        self._needed()
        self._ask({"do": "restart", "name": name}, report)

    def down(self, report: Report, volumes: bool = False) -> None:
        """End everything; a supervisor that is gone or does not answer is no hindrance."""
        if not self._paths.state.is_dir():
            return
        with contextlib.suppress(AbsentError):
            ask(self._paths.socket, {"do": "down"}, report, DOWN_SECONDS)
            self._wait_gone()
        _processes().end_all(self._paths.run, GRACE_SECONDS)
        clear_state(self._paths)
        if volumes:
            shutil.rmtree(self._paths.data, ignore_errors=True)
            self._paths.passwords.unlink(missing_ok=True)

    def ps(self) -> list[Replica]:
        """List all replicas by service and number; what a killed supervisor left is unready."""
        status = self._status()
        if status is not None:
            return [Replica(**row) for row in status["replicas"]]
        rows = {process.replica: _orphan(process.replica, process.pid) for process in self._left()}
        return [rows[replica] for replica in sorted(rows) if replica]

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield the last lines of each replica, and with `follow` new ones while the fleet runs."""
        runs = self._paths.state_file.exists  # asked five times a second
        return read_logs(self._paths.logs, names, tail, lambda: follow and runs())

    def _begin(self) -> None:
        """Make sure that a supervisor answers; SvcgenError when none comes up."""
        deadline = time.monotonic() + START_SECONDS
        while self._status() is None:
            if time.monotonic() > deadline:
                raise self._lost("The supervisor of the fleet does not answer.")
            self._launch()
            time.sleep(LOOK_SECONDS)

    def _launch(self) -> None:
        """Start a supervisor; it goes away by itself when there is one already."""
        state_folder(self._paths.root)
        self._paths.logs.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-P",
            "-m",
            "svcgen.run.local.supervisor.server",
            str(self._paths.root),
        ]
        labels = _processes().labels(self._paths.run, "")
        with self._paths.supervisor_log.open("ab") as log:
            subprocess.run(
                command,
                cwd=self._paths.root,
                env={**os.environ, **labels},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )

    def _ask(self, request: dict[str, Any], report: Report) -> None:
        try:
            ask(self._paths.socket, request, report)
        except AbsentError as error:
            raise self._lost("The supervisor of the fleet went away.") from error
        except SvcgenError:
            if (self._status() or {}).get("idle", True):
                self._wait_gone()
            raise

    def _lost(self, problem: str) -> SvcgenError:
        said = "".join(f"\n  {line}" for line in last_lines(self._paths.supervisor_log, 5))
        return SvcgenError(problem + said, "`svcgen down` ends what is left.")

    def _status(self) -> dict[str, Any] | None:
        if not self._paths.state_file.exists():
            return None
        try:
            return dict(ask(self._paths.socket, {"do": "status"}, _silent, STATUS_SECONDS))
        except AbsentError:
            return None

    def _needed(self) -> dict[str, Any]:
        status = self._status()
        if status is None:
            raise SvcgenError("No local fleet runs here.", "`svcgen up` starts it.")
        return status

    def _left(self) -> list[LabelledProcess]:
        found: list[LabelledProcess] = _processes().find(self._paths.run)
        return found

    def _wait_gone(self) -> None:
        """Wait until the supervisor has ended: it takes its trace with it, as the last thing."""
        deadline = time.monotonic() + GONE_SECONDS
        while (self._paths.state_file.exists() or self._left()) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)


def _silent(_service: str, _text: str) -> None:
    """Pass over progress: a question has none."""


def _narrowed(fleet: FleetRequest, names: Collection[str]) -> FleetRequest:
    """Leave out services that do not run: the gateway would route to nothing."""
    services = tuple(one for one in fleet.workspace.services if one.name in names)
    return replace(fleet, workspace=replace(fleet.workspace, services=services))


def _orphan(replica: str, pid: int) -> Replica:
    service, _dash, number = replica.rpartition("-")
    return Replica(service, int(number) if number.isdigit() else 0, "unready", pid=pid)


def _processes() -> ModuleType:
    """Return the module that needs psutil; SvcgenError when the extra is not installed."""
    try:
        from svcgen.run.local import processes
    except ImportError as error:
        raise SvcgenError(
            "The local engine needs psutil.", "pip install 'svcgen[local]'"
        ) from error
    return processes
