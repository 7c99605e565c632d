"""The local engine as commands see it: they send requests to a supervisor process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from svcgen.errors import SvcgenError, raise_all
from svcgen.ports import next_free_port
from svcgen.run.engine import (
    GATEWAY,
    SERVICE_PORT,
    Command,
    FleetRequest,
    FleetState,
    GivenVariables,
    Leaving,
    LogLine,
    Report,
    silent,
)
from svcgen.run.local.logs import last_lines, read_logs
from svcgen.run.local.paths import Paths, clear_state
from svcgen.run.local.protocol import AbsentError, LostError, RefusedError, ask, read_state
from svcgen.run.local.saved import stored_address
from svcgen.run.passwords import has_password
from svcgen.run.watching import end_watching
from svcgen.service import url_variable
from svcgen.workspace import STATE_FOLDER, Workspace

if TYPE_CHECKING:
    from svcgen.compose.fleet import Fleet

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

    def observe(self) -> FleetState:
        """Return what the supervisor runs, or what a killed one has left."""
        if not self._paths.state_file.exists():
            return FleetState()
        try:
            status = ask(self._paths.socket, {"do": "status"}, silent, STATUS_SECONDS)
        except (AbsentError, LostError):
            _processes()
            from svcgen.run.local.left import observe_left

            return observe_left(self._paths)
        return read_state(status)

    def up(self, request: FleetRequest, report: Report) -> FleetState:
        """Send the request to the supervisor; start one where none accepts it."""
        from svcgen.gateway.keys import changing_keys, publish_keys
        from svcgen.run.local.request import build_request

        with changing_keys(self._paths.root):
            publish_keys(self._paths.root)
        if request.before.port is None:
            # Nothing runs with which a new supervisor could continue, so all of it starts.
            request = replace(request, only=frozenset(), replaced=frozenset())
        document = {"do": "up", "request": build_request(request, self._paths).document()}
        return self._supervised(document, report)

    def restart(self, workspace: Workspace, name: str, report: Report) -> FleetState:  # noqa: ARG002 (the supervisor knows the services)
        """Replace the replicas of one service by new ones."""
        return self._supervised({"do": "restart", "name": name}, report)

    def down(self, report: Report, volumes: bool = False) -> None:
        """Stop everything, also when the supervisor was killed or does not answer."""
        if not self._paths.state.is_dir():
            return
        end_watching(self._paths.root)
        try:
            ask(self._paths.socket, {"do": "down"}, report, DOWN_SECONDS)
            self._wait_ended()
        except (AbsentError, LostError):
            self._drain_gateway(report)
        _processes().end_all(self._paths.run, GRACE_SECONDS)
        clear_state(self._paths)
        if volumes:
            shutil.rmtree(self._paths.data, ignore_errors=True)
            self._paths.passwords.unlink(missing_ok=True)

    def remove(self, leaving: Leaving, request: FleetRequest, report: Report) -> FleetState:  # noqa: ARG002 (what the request does not have is removed)
        """Bring up the fleet that stays: the supervisor removes what it does not have."""
        return self.up(request, report)

    def data_of(self, leaving: Leaving) -> tuple[str, ...]:
        """Return the database of the service, when one was made for it."""
        made = (self._paths.data / "PG_VERSION").is_file()
        if not (made and has_password(self._paths.passwords, leaving.name)):
            return ()
        return (f"database {leaving.name} in {STATE_FOLDER}/{self._paths.data.name}",)

    def delete_data(self, leaving: Leaving, report: Report) -> None:
        """Drop the database and the role of a service, and forget its password."""
        self._change_data(report, name=leaving.name, to="")

    def rename_data(self, old: str, new: str, report: Report) -> None:
        """Give the database, the role and the password of a service another name."""
        self._change_data(report, name=old, to=new)

    def _change_data(self, report: Report, **request: str) -> None:
        if self.data_of(Leaving(request["name"])):
            from svcgen.run.local.request import own_programs

            programs, faults = own_programs(database=True)
            raise_all(faults)
            postgres = programs["postgres"]
            document = {"do": "change-data", "postgres": postgres, **request}
            if not self._supervised(document, report).replicas:
                self._wait_ended()  # it was started for this alone

    def _drain_gateway(self, report: Report) -> None:
        """Finish the requests at the gateway of a killed supervisor, if it runs."""
        from svcgen.gateway.admin import drain

        if self._paths.admin.exists():
            report(GATEWAY, "draining")
            with contextlib.suppress(SvcgenError):
                drain(self._paths.admin)

    def logs(self, names: Sequence[str], follow: bool, tail: int) -> Iterator[LogLine]:
        """Yield the last lines of each replica, and with `follow` new ones while the fleet runs."""
        runs = self._paths.state_file.exists
        return read_logs(self._paths.logs, names, tail, lambda: follow and runs())

    def run(self, request: FleetRequest, command: Command, report: Report) -> int:
        """Run a command of the terminal that serves the one service in `replaced`."""
        from svcgen.run.local.foreground import serve
        from svcgen.run.local.request import build_request

        (name,) = request.replaced
        folder = next(each.folder for each in request.fleet.services if each.name == name)
        document = {"do": "run", "request": build_request(request, self._paths).document()}
        self._supervised({"do": "status"}, report)  # continues the fleet of a killed supervisor
        try:
            return serve(self._paths.socket, document, folder, command, report)
        except (AbsentError, LostError) as error:
            raise self._lost("The supervisor of the fleet has ended.") from error

    def ask_gateway(self, page: str) -> str:
        """Return the text of a page of Envoy's admin, which listens at a socket."""
        from svcgen.gateway.admin import ask as ask_admin

        return ask_admin(self._paths.admin, page)

    def environment(self, fleet: Fleet, name: str, state: FleetState) -> GivenVariables:
        """Return what a process needs to act as a replica of a service."""
        from svcgen.run.local.request import given_variables

        member = next(member for member in fleet.members if member.name == name)
        found = given_variables(fleet, member, state.internal)
        wanted = {url_variable(callee) for callee in member.calls}
        if member.service.database == "postgres":
            wanted.add("DATABASE_URL")
            if url := stored_address(self._paths, name):
                found["DATABASE_URL"] = url
        found["PORT"] = str(next_free_port(SERVICE_PORT - 1))
        start = f"svcgen up {name}" if state.running else "svcgen up"
        reason = f"it is known when the service runs. Start it: {start}"
        return GivenVariables(found, dict.fromkeys(wanted - found.keys(), reason))

    def _supervised(self, request: dict[str, Any], report: Report) -> FleetState:
        """Send a request to the supervisor; start one where none accepts it.

        It continues with the fleet of a killed one.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._changed(request, report)
            except AbsentError as error:
                if time.monotonic() > deadline:
                    raise self._lost("The supervisor of the fleet does not answer.") from error
            self._start_supervisor()
            time.sleep(LOOK_SECONDS)

    def _changed(self, request: dict[str, Any], report: Report) -> FleetState:
        """Send a request that changes the fleet; return what runs then."""
        try:
            return read_state(ask(self._paths.socket, request, report))
        except LostError as error:
            raise self._lost("The supervisor of the fleet has ended.") from error
        except RefusedError as error:
            if error.idle:
                self._wait_ended()
            raise

    def _start_supervisor(self) -> None:
        """Start a supervisor; it ends at once when another one holds the lock."""
        self._paths.logs.mkdir(exist_ok=True)
        module = "svcgen.run.local.supervisor.server"
        with self._paths.supervisor_log.open("ab") as log:
            subprocess.run(
                [sys.executable, "-P", "-m", module, str(self._paths.root)],
                cwd=self._paths.root,
                env={**os.environ, **_processes().labels(self._paths.run, "")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )

    def _lost(self, problem: str) -> SvcgenError:
        log = "".join(f"\n  {line}" for line in last_lines(self._paths.supervisor_log, 5))
        return SvcgenError(problem + log, "Stop what is left: svcgen down")

    def _wait_ended(self) -> None:
        """Wait until the supervisor has ended: its last step removes its state file."""
        deadline = time.monotonic() + GONE_SECONDS
        find = _processes().find
        while self._paths.state_file.exists() or find(self._paths.run):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_SECONDS)


def missing_programs() -> list[SvcgenError]:
    """Return what this machine lacks for a local fleet with a database."""
    try:
        _processes()
    except SvcgenError as error:
        return [error]
    from svcgen.run.local.request import own_programs

    return own_programs(database=True)[1]


def _processes() -> ModuleType:
    """Return the module that needs psutil; SvcgenError when the extra is not installed."""
    try:
        from svcgen.run.local import processes
    except ImportError as error:
        raise SvcgenError(
            "The local engine needs psutil.", "Install it: pip install 'svcgen[local]'"
        ) from error
    return processes
