"""`svcgen verify`: the contract as a command, on a folder and at a URL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from svcgen.contract.context import set_up
from svcgen.contract.targets.process import ProcessTarget
from tests.contract.reference.on_disk import write_reference
from tests.contract.reference.settings import NAME
from tests.support.checkout import until
from tests.support.run import INTERRUPTED, svcgen

RULES = ("--only", "livez", "--only", "path-unknown")


@pytest.fixture
def database(fake_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name the fake database as the user does."""
    monkeypatch.setenv("DATABASE_URL", fake_database)
    return fake_database


@pytest.mark.usefixtures("database")
def test_a_service_that_keeps_the_rules_is_0(tmp_path: Path) -> None:
    done = svcgen("verify", write_reference(tmp_path / NAME), *RULES, within=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        "RULE          STATE  DETAIL\n"
        "livez         kept   GET /livez is 200\n"
        "path-unknown  kept   an unknown path is 404, also one with an extra /\n"
        "\n"
        "things: 2 kept, 0 broken, 0 not checked\n",
    )
    assert "checking 2 rules" in done.stderr


@pytest.mark.usefixtures("database")
def test_a_broken_rule_is_3_and_named(tmp_path: Path) -> None:
    folder = write_reference(tmp_path / NAME, "path-unknown")
    done = svcgen("verify", *RULES, "--json", within=folder)
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert (document["service"], document["target"]) == (NAME, ".")
    assert {one["name"]: one["state"] for one in document["rules"]} == {
        "livez": "kept",
        "path-unknown": "broken",
    }
    assert "the status is" in document["rules"][1]["detail"]
    assert "checking 2 rules" in done.stderr


def test_a_url_leaves_out_the_rules_of_a_start(tmp_path: Path, fake_database: str) -> None:
    folder = write_reference(tmp_path / NAME)
    with set_up(ProcessTarget(folder), fake_database, 8.0) as context:
        url = f"http://127.0.0.1:{context.address.port}"
        done = svcgen(
            *("verify", url, "--service", folder, *RULES, "--only", "drain-exits"), within=tmp_path
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("2 kept, 0 broken, 1 not checked\n")
    assert "needs a target that can be started and stopped" in done.stdout


@pytest.mark.usefixtures("database")
def test_a_check_of_nothing_is_an_error(tmp_path: Path) -> None:
    done = svcgen("verify", "--only", "image-user", within=write_reference(tmp_path / NAME))
    assert (done.returncode, done.stdout) == (1, "")
    assert "No rule can be checked here: image-user needs an image." in done.stderr


@pytest.mark.usefixtures("database")
def test_a_broken_rule_is_shown_with_what_was_observed(tmp_path: Path) -> None:
    folder = write_reference(tmp_path / NAME, "port-malformed")
    done = svcgen("verify", "--only", "livez", "--only", "port-malformed", within=folder)
    assert done.returncode == 3, done.stderr
    assert "1 kept, 1 broken, 0 not checked" in done.stdout
    assert "PORT=70000: exit 1, one line; observed: " in done.stdout


@pytest.mark.usefixtures("database")
def test_a_service_of_ones_own_is_checked_without_the_example(tmp_path: Path) -> None:
    folder = write_reference(tmp_path / NAME)
    (folder / ".copier-answers.yml").unlink()
    document = json.loads((folder / "openapi.json").read_text())
    document["paths"] = {"/v1/other": {"get": {"operationId": "listOthers", "responses": {}}}}
    (folder / "openapi.json").write_text(json.dumps(document))
    rules = ("--only", "livez", "--only", "create", "--only", "body-invalid", "--only", "port")
    done = svcgen("verify", *rules, "--json", within=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["name"]: (one["state"], one["detail"]) for one in json.loads(done.stdout)["rules"]}
    needs = ("not checked", f"needs the example resource, /v1/{NAME}")
    assert found == {
        "port": ("kept", ""),
        "livez": ("kept", ""),
        "create": needs,
        "body-invalid": needs,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (("./nowhere",), 1, "./nowhere does not exist."),
        (("empty",), 1, "chart/registration.yaml does not exist."),
        (("bare",), 1, "bare has no Makefile with the goals `run` and `migrate`."),
        (("no-such-image", "--service", "bare"), 1, "no-such-image is not a folder"),
        ((NAME,), 1, "things needs a database."),
        ((NAME, "--only", "livz"), 2, 'Did you mean "livez"?'),
        (("http://127.0.0.1:9", "--service", "empty"), 1, "--service DIR"),
        (("http://127.0.0.1:9", "--service", NAME), 1, "http://127.0.0.1:9 does not answer"),
        (("http://h.invalid", "--service", NAME), 1, "http://h.invalid does not answer"),
    ],
)
def test_what_cannot_be_checked_is_an_error(
    arguments: tuple[str, ...],
    code: int,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "empty").mkdir()
    write_reference(tmp_path / NAME)
    shutil.copytree(tmp_path / NAME, tmp_path / "bare")
    (tmp_path / "bare/Makefile").unlink()
    done = svcgen("verify", *arguments, within=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert shown in " ".join(done.stderr.split()).replace(" │ │ ", " ")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_service(number: signal.Signals, tmp_path: Path) -> None:
    folder, seconds = write_reference(tmp_path / NAME), 40_000 + os.getpid() % 10_000
    run = f'\t@test "$$PORT" != 70000 || exit 1\n\t@exec sleep {seconds}\n'
    (folder / "Makefile").write_text(f"run:\n{run}migrate:\n\t@true\n")
    process = subprocess.Popen(
        [*INTERRUPTED, "verify"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def sleeps() -> bool:
        return any(str(seconds) in line for line in processes())

    until(sleeps, timeout=60)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Aborted" in errors
    assert "Traceback" not in errors
    assert not sleeps()


def processes() -> list[str]:
    done = subprocess.run(["ps", "-axo", "args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("sleep ")]


@pytest.mark.parametrize(
    "url",
    [
        *("http://", "http:///x", "http://[::1", "http://h:99999", "http://h:abc", "http://h:0"),
        *("ftp://h", "http://h/prefix", "http://h?q=1", "http://user:hidden@h"),
    ],
)
def test_what_is_not_the_address_of_a_service_is_an_error(url: str, tmp_path: Path) -> None:
    folder = write_reference(tmp_path / NAME)
    done = svcgen("verify", url, "--service", folder, within=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "That is not the address of a service." in done.stderr
    assert "hidden" not in done.stderr
