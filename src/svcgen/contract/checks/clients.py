"""Clients: a slow one and very many at once get their answers, and cost the others nothing."""

from __future__ import annotations

import contextlib
import resource
import time
from http.client import HTTPException

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import last, opened
from svcgen.contract.context import Bench
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import connect, get

BODY = b'{"name": "slow"}'
PAUSE = 0.2  # seconds between two bytes of a slow client
MANY = 1_000
FILES = 2 * MANY  # a process's own limit is 1,024 on many machines
PATIENCE = 20.0  # seconds for one answer, last in the row


def client_slow(bench: Bench) -> None:
    connection = opened(bench, ("Content-Length", str(len(BODY))))
    try:
        for at in range(len(BODY)):
            connection.send(BODY[at : at + 1])
            seen = get(bench.address, f"{bench.path}/summary?depth=0").status
            expect(seen == 200, f"meanwhile another client gets {seen}")
            time.sleep(PAUSE)
    except OSError as error:
        connection.close()
        raise BrokenRuleError(f"it is not heard out: {error!r}") from error
    status = last(connection).status
    expect(status == 201, f"its answer is {status}")


def clients_many(bench: Bench) -> None:
    """Open all connections, then send all requests, then read all answers."""
    with contextlib.ExitStack() as stack:
        crowd = [
            stack.enter_context(contextlib.closing(connect(bench.address, PATIENCE)))
            for _ in range(MANY)
        ]
        try:
            for one in crowd:
                one.connect()
            for one in crowd:
                one.request("GET", f"{bench.path}/none")
            seen = {one.getresponse().status for one in crowd}
        except (OSError, HTTPException) as error:
            raise BrokenRuleError(f"not all of {MANY} are answered: {error!r}") from error
    expect(seen == {422}, f"the statuses are {sorted(seen)}, not 422 alone")


def allow_many() -> None:
    """Let this process, and a service that it starts, have as many open files as this needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        enough = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


CHECKS = (
    Check("client-slow", "a slow client is answered, and the others meanwhile", client_slow),
    Check("clients-many", "1,000 clients at once are all answered", clients_many),
)
