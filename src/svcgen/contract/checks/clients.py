"""Clients: a slow one and a thousand at once are served, and do not delay others."""

from __future__ import annotations

import contextlib
import time
from http.client import HTTPException

from svcgen.contract.check import Check
from svcgen.contract.checks.problems import last
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import begin_post, connect, get

BODY = b'{"name": "slow"}'
PAUSE = 0.2  # seconds between two bytes of a slow client
MANY = 1_000
FILES = 2 * MANY  # that the suite and the services that it starts may open
TIMEOUT = 20.0  # seconds for one answer, last in the row


def client_slow(context: CheckContext) -> None:
    connection = begin_post(context.address, context.path, ("Content-Length", str(len(BODY))))
    try:
        for at in range(len(BODY)):
            connection.send(BODY[at : at + 1])
            seen = get(context.address, f"{context.path}/summary?depth=0").status
            expect(seen == 200, f"another client gets {seen}")
            time.sleep(PAUSE)
    except OSError as error:
        connection.close()
        raise BrokenRuleError(f"its connection is closed: {error!r}") from error
    status = last(connection).status
    expect(status == 201, f"its answer is {status}")


def clients_many(context: CheckContext) -> None:
    """Open all connections, then send all requests, then read all answers."""
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(contextlib.closing(connect(context.address, TIMEOUT)))
            for _ in range(MANY)
        ]
        try:
            for one in connections:
                one.connect()
            for one in connections:
                one.request("GET", f"{context.path}/none")
            seen = {one.getresponse().status for one in connections}
        except (OSError, HTTPException) as error:
            raise BrokenRuleError(f"not all of {MANY} are answered: {error!r}") from error
    expect(seen == {422}, f"the statuses are {sorted(seen)}, not 422 alone")


CHECKS = (
    Check("client-slow", "a slow client is answered, and the others meanwhile", client_slow),
    Check("clients-many", "1,000 clients at once are all answered", clients_many),
)
