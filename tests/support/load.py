"""Open-loop load: each request has its own time, independent of the responses to others.

`python load.py PORT RATE GETS POSTS` sends to paths, given as JSON lists, until its stdin ends or
LIMIT requests are sent, then prints one JSON list of outcomes. All requests go to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

ONE_POST_IN = 10
PATIENCE = 10.0  # seconds for one answer
LIMIT = 60_000

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Outcome:
    """One request: when it was sent (seconds since the epoch), its response, how long it took.

    Without a response `status` is 0 and `error` has the reason.
    """

    sent: float
    method: str
    path: str
    status: int
    seconds: float
    error: str = ""

    @property
    def failed(self) -> bool:
        return self.status != (200 if self.method == "GET" else 201)


@contextmanager
def load(
    port: int, rate: int, gets: Sequence[str], posts: Sequence[str] = ()
) -> Iterator[list[Outcome]]:
    """Send requests while the block runs; the list is filled at its end."""
    outcomes: list[Outcome] = []
    command = [sys.executable, __file__, str(port), str(rate), json.dumps(gets), json.dumps(posts)]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield outcomes
    finally:
        output, _ = sender.communicate()
        outcomes += [Outcome(**outcome) for outcome in json.loads(output)]


async def _send_all(
    port: int, rate: int, gets: Sequence[str], posts: Sequence[str]
) -> list[Outcome]:
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), over.set)
    idle: list[Connection] = []
    began, tasks = time.monotonic(), []
    for number in range(LIMIT):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        if over.is_set():
            break
        post = posts and number % ONE_POST_IN == 0
        path = posts[number // ONE_POST_IN % len(posts)] if post else gets[number % len(gets)]
        tasks.append(asyncio.create_task(_send(port, "POST" if post else "GET", path, idle)))
    return await asyncio.gather(*tasks)


async def _send(port: int, method: str, path: str, idle: list[Connection]) -> Outcome:
    sent, began = time.time(), time.monotonic()
    status, error = 0, ""
    try:
        async with asyncio.timeout(PATIENCE):
            status, body = await _exchange(port, method, path, idle)
        error = body.decode(errors="replace")[:300] if status >= 300 else ""
    except (OSError, TimeoutError, EOFError, ValueError) as fault:
        error = f"{type(fault).__name__}: {fault}"
    return Outcome(sent, method, path, status, time.monotonic() - began, error)


async def _exchange(port: int, method: str, path: str, idle: list[Connection]) -> tuple[int, bytes]:
    reader, writer = await _connect(port, idle)
    body = b'{"name": "apples"}' if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
    writer.write(f"{head}content-type: application/json\r\n\r\n".encode() + body)
    try:
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in answer[1:] if line)
        text = await _read_body(reader, headers)
    except BaseException:
        writer.close()
        raise
    if headers.get("connection") == "close":
        writer.close()
    else:
        idle.append((reader, writer))
    return int(answer[0].split()[1]), text


async def _connect(port: int, idle: list[Connection]) -> Connection:
    """Return an idle connection or a new one; the gateway closes those that were idle for long."""
    while idle:
        reader, writer = idle.pop()
        if not reader.at_eof():
            return reader, writer
        writer.close()
    return await asyncio.open_connection("127.0.0.1", port)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    text = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        text += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return text


def _main(port: str, rate: str, gets: str, posts: str) -> None:
    sent = asyncio.run(_send_all(int(port), int(rate), json.loads(gets), json.loads(posts)))
    json.dump([asdict(outcome) for outcome in sent], sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
