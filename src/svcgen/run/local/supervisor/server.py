"""The supervisor process; started as `python -m svcgen.run.local.supervisor.server ROOT`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.run.engine import Report
from svcgen.run.local import processes
from svcgen.run.local import protocol as control
from svcgen.run.local.paths import Paths, clear_state, write_aside
from svcgen.run.local.protocol import read_request
from svcgen.run.local.supervisor.fleet import Supervisor

IDLE_SECONDS = 10.0
LOGS_SECONDS = 10.0
LEFTOVER_SECONDS = 5.0
GOODBYE_SECONDS = 2.0


class Server:
    """Answers requests; `down` cuts short what another request is doing."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._supervisor = Supervisor(paths)
        self._busy = asyncio.Lock()
        self._work: asyncio.Task[Any] | None = None
        self._asked = 0
        self._going_down: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Serve until a `down` or SIGTERM has ended the fleet, or until there never was one."""
        listener = control.listening(self._paths.socket)
        server = await asyncio.start_unix_server(self._answer, sock=listener, limit=control.LARGEST)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        chores = [asyncio.create_task(self._watch_idle()), asyncio.create_task(self._watch_logs())]
        await self._ended.wait()
        for chore in chores:
            chore.cancel()
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told_everyone(), GOODBYE_SECONDS)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what one connection asks for; that the asker went away does not stop it."""
        self._asked += 1
        try:
            request = json.loads(await reader.readline())
            _write(writer, await self._outcome(request, _reporting(writer)))
            with contextlib.suppress(OSError):
                await writer.drain()
        except ValueError:
            return  # whoever asked was cut off in the middle of a word
        finally:
            self._asked -= 1
            writer.close()
        if request["do"] == "down" or self._came_to_nothing(request):
            self._ended.set()

    def _came_to_nothing(self, request: dict[str, Any]) -> bool:
        """Tell of a first `up` that failed and left nothing to look after."""
        nothing = self._supervisor.idle and not self._going_down
        return request["do"] == "up" and nothing and not self._asked

    async def _outcome(self, request: dict[str, Any], report: Report) -> dict[str, Any]:
        try:
            return {"result": await self._do(request, report)}
        except SvcgenError as error:
            return {"problem": error.problem, "advice": error.advice}
        except asyncio.CancelledError:
            return {"problem": "`svcgen down` came in between.", "advice": ""}
        except Exception:
            traceback.print_exc()
            log = self._paths.supervisor_log
            return {"problem": f"The supervisor met a bug; {log} has it.", "advice": ""}

    async def _do(self, request: dict[str, Any], report: Report) -> Any:
        match request["do"]:
            case "status":
                return await self._supervisor.status()
            case "down":
                return await self._down(report)
            case "up":
                wanted = read_request(request["request"])
                return await self._alone(lambda: self._supervisor.up(wanted, report))
            case "replace":
                wanted, name = read_request(request["request"]), request["name"]
                return await self._alone(lambda: self._supervisor.replace(wanted, name, report))
            case "restart":
                name = request["name"]
                return await self._alone(lambda: self._supervisor.restart(name, report))
        raise SvcgenError(f"The supervisor does not know {request['do']}.", "`svcgen down` first.")

    async def _alone(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what changes the fleet, one after the other."""
        async with self._busy:
            if self._going_down:
                raise asyncio.CancelledError
            self._work = asyncio.ensure_future(work())
            await self._work

    async def _down(self, report: Report) -> None:
        """End everything once, however many ask for it."""
        if self._going_down is None:
            self._going_down = asyncio.create_task(self._end_all(report))
        await self._going_down

    async def _end_all(self, report: Report) -> None:
        if self._work and not self._work.done():
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._supervisor.down(report)
        await asyncio.to_thread(processes.kill_all, self._paths.run)

    async def _told_everyone(self) -> None:
        while self._asked:
            await asyncio.sleep(0.01)

    def _on_signal(self, number: signal.Signals) -> None:
        """End everything on SIGTERM; a closing terminal is no reason to."""
        if number == signal.SIGTERM:
            ending = asyncio.ensure_future(self._down(lambda _service, _text: None))
            ending.add_done_callback(lambda _task: self._ended.set())

    async def _watch_idle(self) -> None:
        """End when the command that started this process was killed before it said what to run."""
        idle = 0.0
        while idle < IDLE_SECONDS:
            await asyncio.sleep(1)
            idle = 0.0 if self._asked or not self._supervisor.idle else idle + 1
        self._ended.set()

    async def _watch_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_SECONDS)
            await asyncio.to_thread(self._supervisor.bound_logs)


def _reporting(writer: asyncio.StreamWriter) -> Report:
    def report(service: str, text: str) -> None:
        _write(writer, {"service": service, "text": text})

    return report


def _write(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(control.line(document))


def main(root: Path) -> None:
    """Leave the command that started it, clean up after a predecessor that was killed, serve."""
    paths = Paths(root)
    with paths.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another command was faster, its supervisor serves both
        if os.fork():
            os._exit(0)  # so that no command has it as a child
        _clean_up(paths)
        write_aside(paths.state_file, json.dumps({"pid": os.getpid()}))
        asyncio.run(Server(paths).run())
        clear_state(paths)


def _clean_up(paths: Paths) -> None:
    """End what a killed predecessor left; its logs and gateway files tell nothing of this run."""
    processes.end_all(paths.run, LEFTOVER_SECONDS)
    shutil.rmtree(paths.gateway, ignore_errors=True)
    paths.gateway.mkdir(mode=0o700)
    for log in paths.logs.glob("*-*.log"):
        log.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
