"""A service that keeps the whole contract with nothing but Python, and breaks one rule on demand.

Environment: that of the contract, and BREAK, the rule to break. Argument `migrate`: the migration.
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading
import time
from pathlib import Path

from tests.contract.reference import settings, telemetry
from tests.contract.reference.items import Calls, Database
from tests.contract.reference.settings import broken, log
from tests.contract.reference.web import Handler, State

GRACE = 5.0 if broken("drain-limit") else 20.0
MARK = Path("migrated")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allow_reuse_address = True

    def verify_request(self, *_arguments: object) -> bool:
        """Turn clients away when there are too many."""
        return not (broken("clients-many") and threading.active_count() > 300)

    def handle_error(self, *_arguments: object) -> None:
        """Leave a client that breaks off without a word on stderr."""


def main() -> None:
    settings.check_log_level()
    host, port, drain = settings.host(), settings.port(), settings.drain_seconds()
    state = State(Database(settings.database_url()), Calls(settings.callee_url()))
    if broken("image-read-only"):
        Path("/app/started").touch()
    try:
        server = Server((host, port), type("Bound", (Handler,), {"state": state}))
    except OSError:
        settings.fail("PORT", "port-taken")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=state.database.watch, daemon=True).start()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    while not stop.wait(0.1):  # a signal that another thread took does not wake this one
        pass
    leave(server, state, drain)


def leave(server: Server, state: State, drain: float) -> None:
    """Go on for a while, then refuse, then finish what is in flight."""
    state.draining = True
    time.sleep(0 if broken("drain-serves") else drain)
    if broken("drain-refuses"):
        time.sleep(9)
    server.shutdown()
    server.server_close()
    end = time.monotonic() + GRACE
    while state.flying and time.monotonic() < end and not broken("drain-finishes"):
        time.sleep(0.02)
    time.sleep(0.05)  # the last answer is on its way
    telemetry.export()
    sys.stdout.flush()
    os._exit(3 if broken("drain-exits") else 0)


def migrate() -> None:
    database = Database(settings.database_url())
    end = time.monotonic() + 30
    while not database.reachable():
        if time.monotonic() >= end:
            log("error", "the database cannot be reached")
            sys.exit(1 if broken("migrate-unreachable") else 75)
        time.sleep(0.5)
    if broken("migrate-newer") and database.url.endswith("/newer"):
        sys.exit(1)
    if "options=" in database.url:
        log("error", "the migration failed")
        sys.exit(0 if broken("migrate-failed") else 1)
    if broken("migrate") and MARK.exists():
        sys.exit(3)
    if broken("migrate"):
        MARK.touch()
    log("info", "the schema is up to date")


if __name__ == "__main__":
    migrate() if sys.argv[1:] == ["migrate"] else main()
