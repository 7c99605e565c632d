"""The requests of tests/data/requests.json as checks, for the service that a suite has started."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.checks.logs import lines_of
from svcgen.contract.checks.parsing import send
from svcgen.contract.checks.problems import problem
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.targets.base import START
from tests.support.repository import REPOSITORY

Case = dict[str, Any]
ROWS: list[Case] = json.loads((REPOSITORY / "tests/data/requests.json").read_text(encoding="utf-8"))
SILENT = ("/livez",)  # contract: log-probes


def check_row(row: Case, context: CheckContext) -> None:
    """Expect the status, a problem, and one log line without what the client sent."""
    path = row["path"].replace("NAME", context.service.name)
    request = partial(send, context, row["method"], path, row["headers"], _body(row))
    answer, lines = lines_of(context, request)
    expect(answer.status == row["must"], f"the status is {answer.status}, not {row['must']}")
    if row["must"] >= 400:
        problem(answer, row["must"])
    wanted = 0 if path in SILENT else 1
    expect(len(lines) == wanted, f"{len(lines)} log lines, not {wanted}: {lines}")
    shown = [line for line in lines for text in _sent(row) if text in _text(line)]
    expect(not shown, f"a log line shows what the client sent: {shown}")


def _body(row: Case) -> bytes | None:
    return None if row["body_hex"] is None else bytes.fromhex(row["body_hex"])


def _sent(row: Case) -> list[str]:
    """Return the query, each long word in it, and the body."""
    query, body = row["path"].partition("?")[2], (_body(row) or b"").decode("utf-8", "replace")
    return [text for text in (query, *re.findall(r"\w{6,}", query), body) if text]


def _text(line: str) -> str:
    return " ".join(map(str, json.loads(line).values()))


CASES = [
    Check(
        f"requests.json {number}: {row['method']} {row['path']}",
        "a malformed request is answered, and its values are not logged",
        partial(check_row, row),
        frozenset({START}),
    )
    for number, row in enumerate(ROWS)
]
