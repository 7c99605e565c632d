"""Finding and ending processes: the one module that knows psutil.

Every process of a fleet has two labels in its environment. Its children inherit them, also in a new
session. So the processes are found after the supervisor was killed and its files were lost.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psutil

from svcgen.errors import SvcgenError

RUN_LABEL = "SVCGEN_RUN"
REPLICA_LABEL = "SVCGEN_REPLICA"
KILL_SECONDS = 10.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class LabelledProcess:
    """A process of a fleet; `started` distinguishes it from a later one with the same pid."""

    pid: int
    started: float
    replica: str


def labels(run: str, replica: str) -> dict[str, str]:
    """Return the variables that label the processes of a replica (`orders-1`)."""
    return {RUN_LABEL: run, REPLICA_LABEL: replica}


def find(run: str, replica: str = "") -> list[LabelledProcess]:
    """Return the live processes of a run, or of one of its replicas, without this process."""
    labelled = []
    for process in psutil.process_iter(["pid", "environ", "create_time"]):
        about = process.info
        environment = about["environ"] or {}
        label = environment.get(REPLICA_LABEL, "")
        of_run = environment.get(RUN_LABEL) == run and replica in {"", label}
        if of_run and process.pid != os.getpid():
            labelled.append(LabelledProcess(process.pid, about["create_time"], label))
    return labelled


def end_all(run: str, grace: float, keep: Collection[str] = ()) -> None:
    """Stop the processes of a run, and kill those that are left after `grace` seconds.

    The replicas in `keep` stay. Raises SvcgenError when a process cannot be killed.
    """

    def left() -> list[LabelledProcess]:
        return [process for process in find(run) if process.replica not in keep]

    for process in left():
        # PostgreSQL waits for its clients after SIGTERM, and closes their connections after SIGINT.
        send(process, signal.SIGINT if process.replica == "database-1" else signal.SIGTERM)
    deadline = time.monotonic() + grace
    while left() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    kill_all(run, keep=keep)


def started(pid: int) -> float:
    """Return when a process was started; 0.0 when it has ended."""
    try:
        process = psutil.Process(pid)
        return 0.0 if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return 0.0


def exists(pid: int) -> bool:
    """Return whether a process exists, also one that has ended and that its parent still holds."""
    return psutil.pid_exists(pid)


def kill_all(run: str, replica: str = "", keep: Collection[str] = ()) -> None:
    """Kill every process of a run or of one replica, also those that start meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while left := [process for process in find(run, replica) if process.replica not in keep]:
        for process in left:
            send(process, signal.SIGKILL)
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise SvcgenError(f"These processes cannot be ended: {pids}.", "Look at `ps -p`.")
        time.sleep(LOOK_SECONDS)


def send(labelled: LabelledProcess, number: signal.Signals) -> None:
    """Signal exactly this process; nothing happens when it has ended."""
    try:
        process = psutil.Process(labelled.pid)
        if process.create_time() == labelled.started:
            process.send_signal(number)
    except psutil.Error:
        return


def server_below(pid: int, port: int) -> int:
    """Return the pid of the server that `make` (pid) started: it listens on the port; else 0."""
    try:
        family = [psutil.Process(pid)]
        family += family[0].children(recursive=True)
    except psutil.Error:
        return 0
    return next((process.pid for process in family if port in _listening_ports(process)), 0)


def _listening_ports(process: psutil.Process) -> Sequence[int]:
    try:
        connections = process.net_connections(kind="tcp")
    except psutil.Error:
        return ()
    listening = [
        connection for connection in connections if connection.status == psutil.CONN_LISTEN
    ]
    return [connection.laddr.port for connection in listening if connection.laddr]


def listener(port: int) -> str:
    """Return the program that listens on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return "another program"
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
        ):
            return _program_name(connection.pid) if connection.pid else "another program"
    return "another program"


def _program_name(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
