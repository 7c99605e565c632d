"""The suite itself: a service that keeps the contract passes, one that breaks a rule fails it."""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from svcgen.contract.check import Check, Finding
from svcgen.contract.checks.stopping import DRAIN
from svcgen.contract.context import CheckContext, set_up
from svcgen.contract.expect import BrokenRuleError, expect
from svcgen.contract.http import Address, ask, get
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.support.stub import ANSWER, UNAVAILABLE, Stub
from svcgen.contract.targets.base import IMAGE, Running
from svcgen.contract.targets.process import ProcessTarget
from svcgen.contract.targets.url import UrlTarget
from svcgen.errors import SvcgenError
from svcgen.service import read_service
from tests.contract.reference.on_disk import REPOSITORY, write_reference

TIMEOUT = 8.0  # a broken reference service that is not ready by then never will be
AS_PROCESS = [check for check in CHECKS if IMAGE not in check.needs]
# Other programs of the machine may hold the ports of these.
SHARED_PORTS = {"port-default", "trace-silent"}
# These wait longest, so they begin first.
SLOW = ("drain-limit", "database-returns", "database-lost", "database-unreachable")


@pytest.fixture(scope="session")
def findings(
    tmp_path_factory: pytest.TempPathFactory, fake_database: str
) -> Iterator[dict[str, Future[list[Finding]]]]:
    """Run all checks on the reference, and each check on one that breaks its rule."""
    root = tmp_path_factory.mktemp("references")

    def check_service(rule: str, checks: list[Check]) -> list[Finding]:
        folder = write_reference(root / (rule or "unbroken"), rule)
        newer = f"{fake_database}/newer"
        return run_checks(ProcessTarget(folder), fake_database, checks, TIMEOUT, newer)

    with ThreadPoolExecutor(24) as pool:
        whole = {"": pool.submit(check_service, "", AS_PROCESS)}
        ordered = sorted(AS_PROCESS, key=lambda check: check.name not in SLOW)
        yield whole | {one.name: pool.submit(check_service, one.name, [one]) for one in ordered}


@pytest.mark.parametrize("check", AS_PROCESS, ids=lambda check: check.name)
def test_a_service_that_breaks_the_rule_fails_its_check(
    check: Check, findings: dict[str, Future[list[Finding]]]
) -> None:
    (finding,) = findings[check.name].result()
    if finding.ok is None and check.name in SHARED_PORTS:
        pytest.skip(finding.detail)
    assert finding.ok is False, finding.detail


def test_a_service_that_keeps_the_contract_passes_every_check(
    findings: dict[str, Future[list[Finding]]],
) -> None:
    kept = findings[""].result()
    assert [one.check for one in kept] == AS_PROCESS
    assert {one.check.name: one.detail for one in kept if one.ok is False} == {}
    assert {one.check.name for one in kept if one.ok is None} <= SHARED_PORTS


def test_every_rule_is_written_down_and_every_written_rule_is_checked() -> None:
    page = (REPOSITORY / "docs/contract.md").read_text(encoding="utf-8")
    rules = page.partition("## Configuration")[2]
    rows = [line.split("`")[1] for line in rules.splitlines() if line.startswith("| `")]
    written = [row for row in rows if row.islower() and "_" not in row]
    members = {"time", "level", "msg", "service"}
    assert sorted(set(written) - members) == sorted(check.name for check in CHECKS)


def test_a_url_alone_leaves_out_what_it_cannot_see(tmp_path: Path, fake_database: str) -> None:
    folder = write_reference(tmp_path / "things")
    with set_up(ProcessTarget(folder), fake_database, TIMEOUT) as context:
        url = f"http://127.0.0.1:{context.address.port}"
        found = run_checks(UrlTarget(url, read_service(folder)))
        assert {one.check.name: one.detail for one in found if one.ok is False} == {}
        assert {bool(one.check.needs) for one in found if one.ok is None} == {True}
        assert sum(one.ok is True for one in found) > 20


def test_a_broken_rule_is_checked_again_when_nothing_else_runs(
    tmp_path: Path, fake_database: str
) -> None:
    asked = []

    def late_once(_context: CheckContext) -> None:
        asked.append("late")
        expect(len(asked) > 1, "it took 7 s")

    def wrong(_context: CheckContext) -> None:
        expect(False, "the status is 500")

    checks = [Check("late", "in time", late_once), Check("wrong", "right", wrong)]
    target = ProcessTarget(write_reference(tmp_path / "things"))
    found = run_checks(target, fake_database, checks, TIMEOUT)
    assert [(one.ok, one.detail) for one in found] == [
        (True, "kept when checked again; at first: it took 7 s"),
        (False, "the status is 500"),
    ]


class SlowSignals(ProcessTarget):
    """A service whose signals are sent by a command that returns after the drain has ended."""

    def start(self, environment: Mapping[str, str]) -> Running:
        running = super().start(environment)

        def signal(number: int) -> None:
            running.signal(number)
            time.sleep(DRAIN + 1)

        return replace(running, signal=signal)


def test_a_slow_signal_does_not_hide_the_drain(tmp_path: Path, fake_database: str) -> None:
    target = SlowSignals(write_reference(tmp_path / "things"))
    checks = [one for one in AS_PROCESS if one.name.startswith("drain-")]
    found = run_checks(target, fake_database, checks, TIMEOUT)
    assert {one.check.name: one.detail for one in found if not one.ok} == {}


OF_CALLS = [
    "call-refused",
    "call-failed",
    "call-slow",
    "call-deadline",
    "call-retried",
    "call-direct",
    "identity",
    "identity-apart",
    "trace-passed-on",
]


@pytest.mark.parametrize("broken", ["", *OF_CALLS[:-1]])
def test_the_rules_of_calls_need_no_example(
    broken: str, tmp_path: Path, fake_database: str
) -> None:
    """They use an operation of the document that makes a call; here one is left, a GET."""
    folder = write_reference(tmp_path / "things", broken)
    document = json.loads((folder / "openapi.json").read_text())
    document["paths"] = {"/v1/things/summary": document["paths"]["/v1/things/summary"]}
    (folder / "openapi.json").write_text(json.dumps(document))
    asked = [one for one in CHECKS if one.name in ([broken] if broken else OF_CALLS)]
    found = run_checks(ProcessTarget(folder), fake_database, asked, TIMEOUT)
    assert {one.check.name: one.ok for one in found} == {
        one.name: one.name != broken for one in asked
    }, found


def test_a_response_without_end_is_not_read_to_its_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=send_without_end, args=[listener])
        thread.start()
        with pytest.raises(BrokenRuleError, match="longer than 32 MiB"):
            get(Address(listener.getsockname()[1]), "/")
        thread.join()


def send_without_end(listener: socket.socket) -> None:
    """Send chunks until the reader closes the connection."""
    connection, _ = listener.accept()
    with connection, suppress(ConnectionError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def test_a_stub_says_that_it_closes_the_connection() -> None:
    """Else a client keeps the connection, and its next request fails on a busy machine."""
    stub = Stub("order-items")
    stub.open()
    try:
        for behaviour in (ANSWER, UNAVAILABLE):
            with stub.behaving(behaviour):
                answer = ask(Address(stub.port), "GET", "/v1/order-items/summary")
            assert answer.headers["Connection"] == "close"
    finally:
        stub.close()


def test_a_stub_answers_an_operation_of_its_document() -> None:
    product = {
        "type": "object",
        "required": ["id", "price", "tags", "state"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "price": {"type": "integer", "minimum": 5.0},  # as FastAPI writes it
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "state": {"enum": ["new", "sold"]},
            "note": {"type": "string"},
        },
    }
    responses = {"201": {"content": {"application/json": {"schema": product}}}}
    paths = {"/v1/products/{id}": {"put": {"responses": responses}}}
    stub = Stub("products", document={"paths": paths})
    status, body = stub.answer("PUT", "/v1/products/7?x=1")
    assert type(json.loads(body)["price"]) is int
    assert (status, json.loads(body)) == (
        201,
        {
            "id": str(uuid.UUID(json.loads(body)["id"])),
            "price": 5,
            "tags": ["text"],
            "state": "new",
        },
    )


def test_a_service_with_a_database_needs_one(tmp_path: Path) -> None:
    with pytest.raises(SvcgenError, match="needs a database"):
        run_checks(ProcessTarget(write_reference(tmp_path / "things")))
