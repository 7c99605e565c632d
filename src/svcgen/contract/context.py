"""The work context of one run: the target, what a healthy start needs, and what checks share."""

from __future__ import annotations

import contextlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from svcgen.contract.expect import NotRunError, expect
from svcgen.contract.http import Address, ask
from svcgen.contract.support.stub import ANSWER, Stub
from svcgen.contract.targets.base import CALLS, DATABASE, NEWER, START, Output, Running, Target
from svcgen.errors import SvcgenError
from svcgen.openapi.document import Key, Operation, operations, read_document
from svcgen.openapi.examples import request_of
from svcgen.ports import free_port
from svcgen.service import Service, client_copy, url_variable


@dataclass(frozen=True)
class Calling:
    """A request that makes the service call another service once, and that service's stub."""

    method: str
    path: str
    body: bytes | None
    callee: Stub


VERSION = "7.8.9-contract"  # SERVICE_VERSION of every service that the suite starts
# No server listens there: a service that uses the proxy of its environment gets no answer.
PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "NO_PROXY": ""}
CALL_FAILED = (502, 504)

Evidence = TypeVar("Evidence")


@dataclass
class CheckContext:
    """The target, its callees and the evidence that several checks read."""

    target: Target
    database_url: str = ""
    newer_url: str = ""  # a database that a newer version of the service has migrated
    start_timeout: float = 60.0  # seconds until a started service must be ready
    callees: dict[str, Stub] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)  # and not closed yet
    stopped: bool = False

    @property
    def service(self) -> Service:
        """The service's facts."""
        return self.target.service

    @property
    def path(self) -> str:
        """The example resource; NotRunError when the owner replaced it."""
        if not self.has_example:
            raise NotRunError(f"needs the example resource, {self._example}")
        return self._example

    @property
    def readable(self) -> str:
        """A path that answers GET: the example resource, else the first of the document."""
        if self.has_example:
            return self._example
        read = (path for path, methods in self.documented.items() if "GET" in methods)
        return next(read, "/livez")

    @property
    def has_example(self) -> bool:
        """Whether the service's document offers the example resource."""
        found = self.documented
        return (
            found.get(self._example, set()) >= {"GET", "POST"}
            and f"{self._example}/summary" in found
        )

    @property
    def documented(self) -> dict[str, set[str]]:
        """The paths of the committed document that have no parameters, with their methods."""
        return self.cached(documented)

    @property
    def _example(self) -> str:
        return f"/v1/{self.service.name}"

    @property
    def provides(self) -> frozenset[str]:
        """What checks may need, of the target and of its service."""
        database = {DATABASE} if self.database_url and START in self.target.provides else set()
        calls = {CALLS} if self.service.calls and START in self.target.provides else set()
        newer = {NEWER} if self.newer_url else set()
        return self.target.provides | database | newer | calls

    @property
    def migration_timeout(self) -> float:
        """Seconds until a migration whose database answers must have ended."""
        return max(60.0, self.start_timeout)

    @property
    def shared_service(self) -> Running:
        """The healthy service that most checks share."""
        return self.cached(start_shared_service)

    @property
    def address(self) -> Address:
        """Where the shared service listens."""
        return self.shared_service.address

    @property
    def output(self) -> Output:
        """The output of the shared service."""
        return self.shared_service.output

    @property
    def callee(self) -> Stub:
        """The first service that is called."""
        return self.callees[self.service.calls[0]]

    @property
    def calling(self) -> Calling:
        """A request that makes one call: the example's summary, else one of the document.

        Raises NotRunError when no operation of the document makes exactly one call.
        """
        if self.has_example:
            return Calling("GET", f"{self._example}/summary?depth=1", None, self.callee)
        return self.cached(find_calling)

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Return the variables of a healthy start with changes; None leaves one out."""
        needed: dict[str, str | None] = {
            "PORT": str(free_port()),
            "SERVICE_VERSION": VERSION,
            # A trailing / changes nothing.
            **{url_variable(name): f"{stub.url}/" for name, stub in self.callees.items()},
        }
        if self.database_url:
            needed["DATABASE_URL"] = self.database_url
        needed |= changes
        return {name: value for name, value in needed.items() if value is not None}

    @contextlib.contextmanager
    def start(self, **changes: str | None) -> Iterator[Running]:
        """Start a service for one check and end it in any case; NotRunError after `stop`."""
        if self.stopped:
            raise NotRunError("was interrupted")
        running = self.keep(self.target.start(self.environment(**changes)))
        try:
            yield running
        finally:
            running.close()
            self.started.remove(running)

    def keep(self, running: Running) -> Running:
        """Record a service, so that `stop` ends it; one that was started meanwhile ends at once."""
        self.started.append(running)
        if self.stopped:
            running.close()
        return running

    def stop(self) -> None:
        """End all services, so that the checks that still wait for them end."""
        self.stopped = True
        for running in list(self.started):
            running.close()

    @contextlib.contextmanager
    def ready(self, **changes: str | None) -> Iterator[Running]:
        """Start a service for one check and wait until it is ready."""
        self.cached(migrated)
        with self.start(**changes) as running:
            running.wait_for("/readyz", self.start_timeout)
            yield running

    def cached(self, gather: Callable[[CheckContext], Evidence]) -> Evidence:
        """Gather evidence that several checks read, once.

        Raises for each caller what `gather` raised.
        """
        with self.locks.setdefault(gather.__qualname__, threading.Lock()):
            if gather.__qualname__ not in self.evidence:
                self.evidence[gather.__qualname__] = _outcome(gather, self)
        kept = self.evidence[gather.__qualname__]
        if isinstance(kept, Exception):
            raise kept
        return cast("Evidence", kept)

    def migrate(self, **changes: str | None) -> Running:
        """Start the migration; it ends with the context."""
        return self.keep(self.target.migrate(self.environment(**changes)))


def documented(context: CheckContext) -> dict[str, set[str]]:
    """Read the paths without parameters of the committed document; empty without a document."""
    found: dict[str, set[str]] = {}
    for method, path in _offered(context):
        if "{" not in path:
            found.setdefault(path, set()).add(method.upper())
    return found


def path_templates(context: CheckContext) -> list[re.Pattern[str]]:
    """Return a pattern for each path with parameters of the committed document."""
    paths = {path for _, path in _offered(context) if "{}" in path}
    return [re.compile("[^/]+".join(map(re.escape, path.split("{}")))) for path in paths]


def _offered(context: CheckContext) -> Mapping[Key, Operation]:
    """Return the operations of the committed document; none without a document."""
    openapi = context.service.openapi
    return operations(read_document(openapi)) if openapi.is_file() else {}


def find_calling(context: CheckContext) -> Calling:
    """Send each operation's request, those that change nothing first, until one makes one call.

    A 502 or 504 that names a callee is of a call that failed, which the checks report.
    """
    offered = operations(read_document(context.service.openapi)).values()
    for operation in sorted(offered, key=lambda one: one.method != "get"):
        path, body = request_of(operation)
        with contextlib.ExitStack() as stack:
            received = {
                name: stack.enter_context(stub.behaving(ANSWER))
                for name, stub in context.callees.items()
            }
            answer = ask(context.address, operation.method.upper(), path, body)
            called = [name for name, requests in received.items() for _ in requests]
        if answer.status in CALL_FAILED:
            called = [name for name in context.callees if name.encode() in answer.body]
        if answer.status in {*CALL_FAILED, *range(200, 300)} and len(called) == 1:
            stub = context.callees[called[0]]
            return Calling(operation.method.upper(), path, body, stub)
    raise NotRunError("needs an operation of openapi.json that makes one call")


def start_shared_service(context: CheckContext) -> Running:
    """Start the shared service."""
    context.cached(migrated)
    environment = context.environment(**PROXIES) if START in context.target.provides else {}
    running = context.keep(context.target.start(environment))
    running.wait_for("/readyz", context.start_timeout)
    return running


def migrated(context: CheckContext) -> int:
    """Migrate the database before a service starts on it."""
    if DATABASE not in context.provides:
        return 0
    migration = context.migrate()
    code = migration.exit_code(context.migration_timeout)
    expect(code == 0, f"the migration exited {code}: {migration.last_lines()}")
    return code


def without_schema(database_url: str) -> str:
    """Return the URL with a search path in which no table is found or made."""
    separator = "&" if "?" in database_url else "?"
    return f"{database_url}{separator}options=-csearch_path%3Dnowhere"


@contextlib.contextmanager
def set_up(
    target: Target, database_url: str, start_timeout: float, newer_url: str = ""
) -> Iterator[CheckContext]:
    """Make a context with its stubs; end all processes and stubs afterwards."""
    stubs = {name: Stub(name, document=_copy_of(target, name)) for name in target.service.calls}
    database = database_url if target.service.database != "none" else ""
    context = CheckContext(target, database, newer_url, start_timeout, stubs)
    try:
        for stub in stubs.values():
            stub.open()
        yield context
    finally:
        context.stop()
        for stub in stubs.values():
            stub.close()


def _copy_of(target: Target, callee: str) -> dict[str, Any] | None:
    """Return the service's copy of a callee's document; None when it has none that is valid."""
    with contextlib.suppress(SvcgenError):
        return read_document(client_copy(target.service.folder, callee))
    return None


def marker() -> str:
    """Return a unique text that is also a valid trace id."""
    return uuid.uuid4().hex


def _outcome(
    gather: Callable[[CheckContext], Evidence], context: CheckContext
) -> Evidence | Exception:
    try:
        return gather(context)
    except Exception as error:
        return error
