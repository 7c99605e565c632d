"""`svcgen update --all`: one bad service stops no other, canaries go first, tests decide."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from svcgen.update.jobs import plan_updates
from svcgen.update.model import UpdateOptions
from svcgen.update.selection import select
from svcgen.update.worker import update_service
from tests.support.run import answered, svcgen
from tests.support.templates import commit, git, in_git, write
from tests.support.terminal import at_terminal
from tests.support.updates import Make, created, made, own_cache, text, versions

__all__ = ["created", "made", "own_cache", "versions"]


@pytest.fixture
def three(made: Make, tmp_path: Path) -> Path:
    """Return a workspace of three services in a repository each, one of them edited to conflict."""
    for name in ("catalog", "orders", "stock"):
        in_git(made(name))
    dockerfile = text(tmp_path / "orders", "Dockerfile").replace("CMD one", "CMD mine")
    write(tmp_path / "orders", {"Dockerfile": dockerfile})
    commit(tmp_path / "orders")
    return tmp_path


def states(done: subprocess.CompletedProcess[str], code: int) -> dict[str, str]:
    outcomes: list[dict[str, Any]] = answered(done, code)["services"]
    return {outcome["service"]: outcome["state"] for outcome in outcomes}


def break_answers(folder: Path) -> None:
    write(folder, {".copier-answers.yml": "name: [\n"})
    commit(folder)


def test_one_bad_service_never_stops_the_rest(three: Path) -> None:
    break_answers(three / "catalog")
    found = states(svcgen("update", "--all", "--json", within=three), 1)
    assert found == {"catalog": "failed", "orders": "conflicts", "stock": "updated"}
    assert text(three / "stock", "Dockerfile").endswith("CMD two\n")


def test_the_table_says_all_and_the_rest_goes_to_stderr(three: Path) -> None:
    done = svcgen("update", "--all", within=three)
    assert done.returncode == 3
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["SERVICE", "FROM", "TO", "FILES", "CONFLICTS", "STATE"]
    assert ["orders", "v1.0.0", "v1.1.0", "5", "1", "conflicts"] in rows
    assert "orders --continue" in done.stderr
    assert "stock           updated" in done.stderr.splitlines()


def test_nothing_is_updated_that_nobody_named(three: Path) -> None:
    done = svcgen("update", within=three)
    assert done.returncode == 1
    assert "svcgen update --all" in done.stderr
    assert git("status", "--porcelain", within=three / "stock") == ""


def test_at_a_terminal_all_are_updated_when_a_person_says_so(three: Path) -> None:
    asked = "Update 3 services? [y/N]"
    code, output = at_terminal("update", within=three, asked=asked, reply="n")
    assert code == 1
    assert output.count("to be updated") == 3
    assert git("status", "--porcelain", within=three / "stock") == ""
    code, output = at_terminal("update", within=three, asked=asked, reply="y")
    assert code == 3
    while_it_ran = output[output.index(asked) : output.rindex("SERVICE")]
    for cell in ("conflicts", "v1.1.0", "stock", "updated"):
        assert cell in while_it_ran


def test_a_failed_canary_keeps_the_rest_from_it(three: Path) -> None:
    words = ("update", "--all", "--json", "--canary", "2")
    found = states(svcgen(*words, within=three), 3)
    assert found == {"catalog": "updated", "orders": "conflicts", "stock": "skipped"}
    assert git("status", "--porcelain", within=three / "stock") == ""


def test_good_canaries_lead_on_to_the_rest(three: Path) -> None:
    words = ("update", "--all", "--json", "--canary", "1")
    assert states(svcgen(*words, within=three), 3)["stock"] == "updated"


def test_a_service_whose_tests_fail_is_put_back(three: Path) -> None:
    broken = "lock generate:\n\t@true\nlint test:\n\t@echo it is broken; grep -q one Dockerfile\n"
    write(three / "stock", {"Makefile": broken})
    commit(three / "stock")
    words = ("update", "catalog", "stock", "--test", "--json")
    services = answered(svcgen(*words, within=three), 3)["services"]
    outcomes = {service["service"]: service for service in services}
    assert outcomes["catalog"]["state"] == "updated"
    assert outcomes["stock"]["state"] == "reverted"
    assert "it is broken" in outcomes["stock"]["problem"]
    assert git("status", "--porcelain", within=three / "stock") == ""
    assert not list((three / "stock").glob(".svcgen-*"))


def test_lock_runs_what_makes_locks(three: Path) -> None:
    making = "lint test:\n\t@true\nlock generate:\n\t@echo $@ >> requirements.txt\n"
    write(three / "stock", {"Makefile": making})
    commit(three / "stock")
    assert states(svcgen("update", "stock", "--lock", "--json", within=three), 0)
    assert text(three / "stock", "requirements.txt") == "web==2.0\nlog==1.0\nlock\ngenerate\n"


def test_locks_that_cannot_be_made_leave_all_as_it_was(three: Path) -> None:
    half = "echo half >> requirements.txt; echo half >> src/store.py"  # one that no update touches
    failing = f"lock generate:\n\t@{half}; echo no registry; false\n"
    write(three / "stock", {"Makefile": failing})
    commit(three / "stock")
    done = svcgen("update", "stock", "--lock", "--json", within=three)
    (outcome,) = answered(done, 3)["services"]
    assert (outcome["state"], "no registry" in outcome["problem"]) == ("reverted", True)
    assert git("status", "--porcelain", within=three / "stock") == ""


def test_a_branch_a_repository_is_ready_for_a_pull_request(three: Path) -> None:
    done = svcgen("update", "--all", "--branch", "newer", "--json", within=three)
    assert states(done, 3) == {"catalog": "updated", "orders": "conflicts", "stock": "updated"}
    for name in ("catalog", "stock"):
        assert git("branch", "--show-current", within=three / name) == "newer\n"
        assert git("status", "--porcelain", within=three / name) == ""
        message = git("log", "-1", "--format=%B", within=three / name)
        assert message.startswith(f"Update {name} from template v1.0.0 to v1.1.0\n")
        assert "- A newer command." in message
    assert git("log", "--format=%s", within=three / "orders").split("\n")[0] == "edit"


def test_a_hook_that_refuses_the_commit_leaves_all_as_it_was(three: Path) -> None:
    hook = three / "stock" / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    words = ("update", "stock", "--branch", "newer", "--json")
    (outcome,) = answered(svcgen(*words, within=three), 1)["services"]
    assert "not today" in outcome["problem"]
    assert git("status", "--porcelain", within=three / "stock") == ""
    assert git("branch", "--format=%(refname:short)", within=three / "stock") == "main\n"


def test_a_dry_run_of_all_is_one_patch(three: Path) -> None:
    done = svcgen("update", "catalog", "stock", "--dry-run", within=three)
    assert done.returncode == 0, done.stderr
    assert "+++ b/catalog/Dockerfile" in done.stdout
    assert "+++ b/stock/Dockerfile" in done.stdout
    assert git("status", "--porcelain", within=three / "stock") == ""
    applied = ["git", "apply", "-"]
    subprocess.run(applied, cwd=three, input=done.stdout, text=True, check=True)
    assert text(three / "catalog", "Dockerfile").endswith("CMD two\n")
    assert text(three / "stock", "src/telemetry.py") == "TRACES = True\n"


@pytest.mark.parametrize(
    "words", [("update", "--all", "--dry-run"), ("drift",), ("list", "--outdated")]
)
def test_a_command_fetches_a_fleets_template_once(
    three: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    trace = tmp_path / "trace"
    assert svcgen(*words, within=three, GIT_TRACE=str(trace)).returncode == 3
    assert trace.read_text().count("trace: built-in: git fetch") == 1


def test_json_is_one_document(three: Path) -> None:
    done = svcgen("update", "--all", "--json", within=three)
    assert len(json.loads(done.stdout)["services"]) == 3


def test_a_worker_that_is_killed_takes_no_other_service_along(three: Path) -> None:
    killing = "lint test:\n\t@kill -9 $$(ps -o ppid= -p $$PPID)\nlock generate:\n\t@true\n"
    write(three / "stock", {"Makefile": killing})
    commit(three / "stock")
    found = states(svcgen("update", "catalog", "stock", "--test", "--json", within=three), 1)
    assert found == {"catalog": "updated", "stock": "failed"}
    again = svcgen("update", "stock", "--json", within=three)
    assert states(again, 0) == {"stock": "updated"}


def test_a_worker_that_comes_late_leaves_another_runs_update_alone(three: Path) -> None:
    """Its job was found before the other run began, whose conflicts are resolved."""
    orders = three / "orders"
    (late,), _ended = plan_updates(
        select(three, ["orders"], everything=False), UpdateOptions(ref="v1.1.0")
    )
    assert svcgen("update", "orders", within=three).returncode == 3
    write(orders, {"Dockerfile": "CMD both\n"})
    outcome = update_service(late)
    assert (outcome.state, "is in progress" in outcome.problem) == ("failed", True)
    assert text(orders, "Dockerfile") == "CMD both\n"
    assert svcgen("update", "orders", "--continue", within=three).returncode == 0
    outcome = update_service(late)
    assert (outcome.state, "is now at v1.1.0" in outcome.problem) == ("failed", True)
    assert text(orders, "Dockerfile") == "CMD both\n"
