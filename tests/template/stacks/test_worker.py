"""A worker of each stack: its example task is green, and the service keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.checkout import check_out, environment_of
from tests.support.repository import STACKS_HERE
from tests.support.run import svcgen

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local")]
# Each database in two stacks.
DATABASE = {"python": "postgres", "go": "none", "typescript": "postgres", "java": "none"}


@pytest.mark.parametrize("stack", STACKS_HERE)
def test_a_worker_begins_with_a_task(
    stack: str, tmp_path: Path, postgres: Callable[[str], str]
) -> None:
    answers = {"name": "mailer", "stack": stack, "kind": "worker", "database": DATABASE[stack]}
    environment = environment_of(stack, DATABASE_URL=postgres(f"worker-{stack}"))
    worker = check_out(tmp_path, answers, environment)
    worker.succeed("migrate", "lint", "test")
    assert json.loads((worker.folder / "openapi.json").read_text())["paths"] == {}
    refused = worker.make("run", INTERVAL_SECONDS="0")
    lines = [line for line in refused.stdout.splitlines() if line.startswith("{")]
    assert [json.loads(line)["msg"].split()[0].rstrip(":") for line in lines] == [
        "INTERVAL_SECONDS"
    ]
    database = postgres(f"worker-{stack}-verified")
    checked = svcgen("verify", "--json", within=worker.folder, DATABASE_URL=database)
    assert checked.returncode == 0, checked.stdout
    states = [rule["state"] for rule in json.loads(checked.stdout)["rules"]]
    assert states.count("kept") > 30
