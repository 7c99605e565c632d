"""The supervisor process; started as `python -m svcgen.run.local.supervisor.server ROOT`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from svcgen.errors import SvcgenError
from svcgen.files import locked, write_atomic
from svcgen.gateway.apply import ACCESS_FOLDER
from svcgen.run.engine import Report, silent
from svcgen.run.local import processes
from svcgen.run.local.paths import Paths, clear_state
from svcgen.run.local.protocol import (
    ACCEPTED,
    LARGEST,
    UpRequest,
    encode,
    listening,
    read_request,
)
from svcgen.run.local.saved import SavedFleet, read_fleet
from svcgen.run.local.supervisor.fleet import Supervisor
from svcgen.run.local.supervisor.foreground import ForegroundRun
from svcgen.run.local.supervisor.tasks import background, log_error

IDLE_SECONDS = 10.0
LOGS_SECONDS = 0.2  # a stream of 500 MB/s writes 100 MB meanwhile
LEFTOVER_SECONDS = 5.0
REPLY_SECONDS = 2.0


Done = TypeVar("Done")


class Client:
    """The other end of a request that is more than one line: `svcgen run`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, document: dict[str, Any]) -> None:
        """Send one line."""
        _write(self._writer, document)

    async def receive(self) -> dict[str, Any] | None:
        """Return the next line; None when the other end has ended."""
        with contextlib.suppress(OSError, ValueError):
            line = await self._reader.readline()
            received: dict[str, Any] | None = json.loads(line) if line else None
            return received
        return None


class Server:
    """Replies to requests; `down` cancels the request that is in progress."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._supervisor = Supervisor(paths)
        self._busy = asyncio.Lock()
        self._work: asyncio.Task[Any] | None = None
        self._requests = 0
        self._going_down: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    async def run(self, left: SavedFleet | None) -> None:
        """Serve until a `down` or SIGTERM has ended the fleet, or until no fleet has started.

        `left` is the fleet of a killed supervisor; this one continues with it.
        """
        if left:
            await self._supervisor.adopt(left)
        listener = listening(self._paths.socket)
        server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LARGEST)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        watches = [
            background(self._watch_idle(), "idle"),
            background(self._watch_logs(), "size of logs"),
        ]
        await self._ended.wait()
        for watch in watches:
            watch.cancel()
        server.close()
        deadline = loop.time() + REPLY_SECONDS
        while self._requests and loop.time() < deadline:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what one connection requests, also when the other side closes it meanwhile."""

        def report(service: str, text: str) -> None:
            _write(writer, {"service": service, "text": text})

        self._requests += 1
        try:
            request = json.loads(await reader.readline())
            _write(writer, ACCEPTED)
            client = Client(reader, writer)
            _write(writer, await self._reply(request, report, client))
            with contextlib.suppress(OSError):
                await writer.drain()
        except ValueError:
            return  # the command was killed before it had sent the whole request
        finally:
            self._requests -= 1
            writer.close()
        # A first `up` that failed leaves nothing to supervise, as a change of data alone.
        starts = request["do"] in {"up", "change-data"}
        failed = starts and self._supervisor.idle and not self._going_down
        if request["do"] == "down" or (failed and not self._requests):
            self._ended.set()

    async def _reply(
        self, request: dict[str, Any], report: Report, client: Client
    ) -> dict[str, Any]:
        try:
            return {"result": await self._do(request, report, client)}
        except SvcgenError as error:
            problem, advice = error.problem, error.advice
        except asyncio.CancelledError:
            problem, advice = "svcgen down has cancelled this command.", ""
        except Exception:
            traceback.print_exc()
            log = self._paths.supervisor_log
            problem, advice = f"The supervisor has a bug; its traceback is in {log}.", ""
        return {"problem": problem, "advice": advice, "idle": self._supervisor.idle}

    async def _do(self, request: dict[str, Any], report: Report, client: Client) -> Any:
        match request["do"]:
            case "status":
                return await self._supervisor.status()
            case "down":
                return await self._down(report)
            case "up":
                wanted = read_request(request["request"])
                return await self._changed(lambda: self._supervisor.up(wanted, report))
            case "restart":
                name = request["name"]
                return await self._changed(lambda: self._supervisor.restart(name, report))
            case "run":
                return await self._run(read_request(request["request"]), report, client)
            case "change-data":
                words = (request["postgres"], request["name"], request["to"])
                return await self._changed(lambda: self._supervisor.change_data(*words, report))
        raise SvcgenError(
            f"The supervisor does not know the request '{request['do']}'.",
            "It is of another svcgen version. Stop it: svcgen down",
        )

    async def _run(self, wanted: UpRequest, report: Report, client: Client) -> dict[str, Any]:
        """Send a service's requests to a process of the client, as long as that is connected."""
        run = await self._alone(lambda: self._supervisor.foreground(wanted, report))
        following: asyncio.Task[None] | None = None
        killed = True
        try:
            client.send({"start": run.process.environment})
            if started := await client.receive():
                run.process.begin(started["pid"])
                following = background(self._follow(run, report), f"{run.name}: svcgen run")
                killed = await client.receive() is None
        finally:
            run.over = True
            if following:
                if not run.process.serving:  # else it drains the replicas
                    following.cancel()
                await asyncio.wait([following])
            if killed and run.process.serving:
                self._supervisor.killed.add(run.name)
            if not self._going_down:
                await self._alone(lambda: run.give_back(report))
        return await self._supervisor.status()

    async def _follow(self, run: ForegroundRun, report: Report) -> None:
        """Send the requests to the process of `svcgen run` as soon as it answers."""
        while not (run.process.serving or run.over):
            await run.process.wait_ready()
            try:
                await self._alone(lambda: run.take_over(report))
            except SvcgenError as error:
                report(run.name, error.problem)

    async def _changed(self, work: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        """Do what changes the fleet; return what runs then."""
        await self._alone(work)
        return await self._supervisor.status()

    async def _alone(self, work: Callable[[], Awaitable[Done]]) -> Done:
        """Do what changes the fleet, one request after the other."""
        async with self._busy:
            if self._going_down:
                raise asyncio.CancelledError
            task = asyncio.ensure_future(work())
            self._work = task
            return await task

    async def _down(self, report: Report) -> None:
        """End everything once, however many requests there are."""
        if self._going_down is None:
            self._going_down = asyncio.create_task(self._end_all(report))
        await self._going_down

    async def _end_all(self, report: Report) -> None:
        if self._work and not self._work.done():
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._supervisor.down(report)
        await asyncio.to_thread(processes.kill_all, self._paths.run)

    def _on_signal(self, number: signal.Signals) -> None:
        """End everything on SIGTERM; the end of the terminal does not end the fleet."""
        if number == signal.SIGTERM:
            ending = asyncio.ensure_future(self._down(silent))
            ending.add_done_callback(lambda _task: self._ended.set())

    async def _watch_idle(self) -> None:
        """End when the command that started this process was killed before it sent a request."""
        idle = 0.0
        while idle < IDLE_SECONDS:
            await asyncio.sleep(1)
            idle = 0.0 if self._requests or not self._supervisor.idle else idle + 1
        self._ended.set()

    async def _watch_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_SECONDS)
            try:
                await asyncio.to_thread(self._supervisor.bound_logs)
            except OSError as error:  # a full disk: the next look may succeed
                log_error("size of logs", error)


def _write(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(encode(document))


def main(root: Path) -> None:
    """Leave the command that started it, continue what a killed supervisor left, and serve."""
    paths = Paths(root)
    try:
        with locked(paths.lock, wait=False, create=True):
            if os.fork():
                os._exit(0)  # so that the command does not have it as a child
            left = read_fleet(paths)
            _clean_up(paths, left)
            if left is None:
                write_atomic(paths.state_file, json.dumps({"pid": os.getpid()}), 0o600)
            asyncio.run(Server(paths).run(left))
            clear_state(paths)
    except BlockingIOError:
        return  # another command was faster, and its supervisor serves both


def _clean_up(paths: Paths, left: SavedFleet | None) -> None:
    """End what a killed supervisor has left and this one does not continue with.

    When nothing of it is continued, remove its logs and gateway files too.
    """
    processes.end_all(paths.run, LEFTOVER_SECONDS, keep=left.labels if left else ())
    if left:
        return
    paths.gateway.mkdir(mode=0o700, exist_ok=True)
    for path in paths.gateway.iterdir():
        if path.is_dir() and path.name != ACCESS_FOLDER:  # of the commands, not of a fleet
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    for log in paths.logs.glob("*-*.log"):
        log.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
