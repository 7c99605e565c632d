"""Finding and ending processes: the one module that knows psutil.

Every process of a fleet carries two marks in its environment, which its children inherit even into
sessions of their own. So they are found after the supervisor was killed and its files were lost.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from svcgen.errors import SvcgenError

RUN_MARK = "SVCGEN_RUN"
REPLICA_MARK = "SVCGEN_REPLICA"
KILL_SECONDS = 10.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Marked:
    """A process of a fleet; `started` tells it from a later one with the same pid."""

    pid: int
    started: float
    replica: str


def marks(run: str, replica: str) -> dict[str, str]:
    """Return the variables that mark the processes of a replica (`orders-1`)."""
    return {RUN_MARK: run, REPLICA_MARK: replica}


def find(run: str, replica: str = "") -> list[Marked]:
    """Return the live processes of a run (of one of its replicas), without this very process."""
    marked = []
    for process in psutil.process_iter(["pid", "environ", "create_time"]):
        about = process.info
        environment = about["environ"] or {}
        mark = environment.get(REPLICA_MARK, "")
        if environment.get(RUN_MARK) == run and replica in {"", mark} and _other(process.pid):
            marked.append(Marked(process.pid, about["create_time"], mark))
    return marked


def _other(pid: int) -> bool:
    return pid != os.getpid()


def end_all(run: str, grace: float) -> None:
    """Ask every process of a run to end, kill after `grace` seconds what is left.

    Raises SvcgenError when one cannot be killed.
    """
    for marked in find(run):
        # PostgreSQL takes SIGTERM as "when all clients have gone", SIGINT as "now, and cleanly".
        send(marked, signal.SIGINT if marked.replica == "database-1" else signal.SIGTERM)
    deadline = time.monotonic() + grace
    while find(run) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    kill_all(run)


def kill_all(run: str, replica: str = "") -> None:
    """Kill every process of a run (of one replica), also those that are born meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while left := find(run, replica):
        for marked in left:
            send(marked, signal.SIGKILL)
        if time.monotonic() > deadline:
            pids = ", ".join(str(marked.pid) for marked in left)
            raise SvcgenError(f"These processes cannot be ended: {pids}.", "Look at `ps -p`.")
        time.sleep(LOOK_SECONDS)


def send(marked: Marked, number: signal.Signals) -> None:
    """Signal exactly this process; that it has ended meanwhile is no fault."""
    try:
        process = psutil.Process(marked.pid)
        if process.create_time() == marked.started:
            process.send_signal(number)
    except psutil.Error:
        return


def server_below(pid: int, port: int) -> int:
    """Return the pid of the server that `make` (pid) started: who listens on the port, else 0."""
    try:
        family = [psutil.Process(pid)]
        family += family[0].children(recursive=True)
    except psutil.Error:
        return 0
    return next((process.pid for process in family if port in _listens(process)), 0)


def _listens(process: psutil.Process) -> Sequence[int]:
    try:
        found = process.net_connections(kind="tcp")
    except psutil.Error:
        return ()
    return [one.laddr.port for one in found if one.laddr and one.status == psutil.CONN_LISTEN]


def listener(port: int) -> str:
    """Say which program listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return "another program"
    for one in connections:
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
            return _named(one.pid) if one.pid else "another program"
    return "another program"


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
