"""A Go service's own targets on a fresh checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from svcgen.ports import free_port
from tests.support.checkout import (
    Checkout,
    assert_dev_starts_again,
    assert_format_and_generate_make_it_as_it_was,
    check_out,
    environment_of,
    migrate_twice_at_once,
    until,
)
from tests.support.killed_tests import assert_a_service_ends_with_its_tests

pytestmark = [pytest.mark.slow, pytest.mark.needs("make", "local", "go")]
CALLS = ["catalog", "order-items", "order", "import", "internal", "a10", "a2", "b" * 40]
LONGEST = {"name": "a" * 40, "stack": "go", "calls": CALLS}
SHORTEST = {
    "name": "o",
    "stack": "go",
    "database": "postgres",
    "calls": ["catalog"],
    "organization": "zz.example",
}
# Without the example, in memory and with all that a service can have besides.
BARE: dict[str, dict[str, object]] = {
    "none": {"name": "bare", "stack": "go", "example": "none"},
    "postgres": {
        "name": "bare",
        "stack": "go",
        "example": "none",
        "database": "postgres",
        "calls": ["catalog", "order-items"],
    },
}
# What a team adds to routes.go: a setting, a route with its own limit, a task, and jobs.
SETTING = """	interval, intervalErr := read("REPORT_SECONDS", "60", parseSeconds)
	limit, limitErr := read("FILE_MIB", "5", parseNumber(1, 100))
	return &app{interval: interval, limit: int64(limit) * mib}, errors.Join(intervalErr, limitErr)
"""
HANDLERS = """
func (a *app) putFile(w http.ResponseWriter, r *http.Request) error {
	file, err := readLimited(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, len(file))
}

func (a *app) printOnce(context.Context) error {
	slog.Info("printed", "interval", a.interval.Seconds())
	return nil
}

func (a *app) report(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			slog.Info("no more reports")
			return nil
		case <-time.After(a.interval):
			return errors.New("no printer")
		}
	}
}
"""
EDITS = {
    '	"net/http"\n': '	"errors"\n	"log/slog"\n	"net/http"\n	"time"\n',
    "	clients map[string]client // by service name\n": (
        "	interval time.Duration\n	limit int64\n"
    ),
    '	clients, err := newClients() // of the called services: newClients("catalog")\n'
    "	return &app{clients: clients}, err\n": SETTING,
    "map[string]http.Handler{}": (
        'map[string]http.Handler{"PUT /v1/bare": withBodyLimit(a.limit, a.putFile)}'
    ),
    "map[string]task{}": 'map[string]task{"report": a.report}',
    "map[string]task { return nil }": (
        'map[string]task { return map[string]task{"print": a.printOnce, "report": a.report} }'
    ),
}


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A service with the longest name, which calls some that have names of Go's own."""
    return check_out(tmp_path_factory.mktemp("go"), LONGEST, environment_of("go"))


@pytest.fixture(scope="module")
def with_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: Callable[[str], str]
) -> Checkout:
    """A service with the shortest name, made ready by two makes at once."""
    environment = environment_of("go", DATABASE_URL=postgres("stack-go"))
    made = check_out(tmp_path_factory.mktemp("go"), SHORTEST, environment)
    migrate_twice_at_once(made, timeout=300)
    return made


def test_lint_is_silent(checkout: Checkout) -> None:
    assert checkout.succeed("lint") == ""


def test_lint_finds_a_fault(with_database: Checkout) -> None:
    fault = with_database.folder / "fault.go"
    fault.write_text("package main\n\nfunc unused() {\n}\n")
    try:
        assert "unused" in with_database.make("lint").stdout
    finally:
        fault.unlink()


def test_a_fresh_service_is_in_shape_and_its_types_are_true(checkout: Checkout) -> None:
    types = (checkout.folder / "clients").glob("*/*.go")
    source = checkout.folder / "health.go"
    assert_format_and_generate_make_it_as_it_was(checkout, source, types)


def test_its_own_tests_pass(checkout: Checkout) -> None:
    said = checkout.succeed("test")
    assert "ok " in said
    assert "skipped" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_service_ends_with_its_tests(in_memory: Checkout) -> None:
    assert_a_service_ends_with_its_tests(in_memory)


def test_without_a_database_its_tests_skip_with_the_reason(with_database: Checkout) -> None:
    said = with_database.succeed("test", DATABASE_URL="", DOCKER_HOST="unix:///nowhere")
    assert "DATABASE_URL is not set" in said


def test_nothing_is_built_again_while_nothing_changes(with_database: Checkout) -> None:
    program = with_database.folder / ".make/service"
    with_database.succeed("migrate")
    made = program.stat().st_mtime_ns
    with_database.succeed("migrate")
    assert program.stat().st_mtime_ns == made


def test_dev_starts_again_after_a_save(with_database: Checkout) -> None:
    source = with_database.folder / "openapi.json"
    assert_dev_starts_again(with_database, source, timeout=60)


def test_lock_is_complete_and_names_no_registry(with_database: Checkout) -> None:
    manifest, lock = (with_database.folder / name for name in ("go.mod", "go.sum"))
    lock.write_text("")
    with_database.succeed("lock")
    assert "go 1.26.0\n" in manifest.read_text()
    assert " h1:" in lock.read_text()
    assert "://" not in lock.read_text()
    with_database.succeed("test")


@pytest.mark.parametrize("database", BARE)
def test_a_service_without_the_example_is_green(
    database: str, tmp_path: Path, postgres: Callable[[str], str]
) -> None:
    environment = environment_of("go", DATABASE_URL=postgres(f"stack-go-bare-{database}"))
    bare = check_out(tmp_path, BARE[database], environment)
    bare.succeed("migrate")
    assert bare.succeed("lint") == ""
    said = bare.succeed("test")
    assert "ok " in said
    assert "skipped" not in said


def test_routes_go_has_settings_limits_and_tasks(tmp_path: Path) -> None:
    bare = check_out(tmp_path, BARE["none"], environment_of("go"))
    routes = bare.folder / "routes.go"
    text = routes.read_text()
    for old, new in EDITS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    routes.write_text(text + HANDLERS)
    bare.succeed("format")
    assert bare.succeed("lint") == ""

    def end(**variables: str) -> list[str]:
        ended = bare.make("run", PORT=str(free_port()), **variables)
        assert ended.returncode == 2  # make's own, for any other than 0
        lines = [line for line in ended.stdout.splitlines() if line.startswith("{")]
        return [json.loads(line)["msg"] for line in lines]

    assert end(REPORT_SECONDS="soon", FILE_MIB="0") == [
        "REPORT_SECONDS: must be a number of seconds from 0 to 300\n"
        "FILE_MIB: must be a whole number from 1 to 100"
    ]
    assert end(REPORT_SECONDS="0.1") == ["the task report failed: no printer"]
    assert_jobs_run_once(bare)
    assert_the_route_is_limited_and_the_task_ends(bare)


def assert_jobs_run_once(bare: Checkout) -> None:
    for name, code, message in (
        ("print", 0, "printed"),
        ("report", 1, "the job report failed: no printer"),
        (
            "x",
            1,
            "unknown command x: use migrate, ready, print, report, or no argument to serve",
        ),
    ):
        ran = subprocess.run(
            [bare.folder / ".make/service", name],
            env={**bare.environment, "REPORT_SECONDS": "0.1"},
            text=True,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == code
        assert [json.loads(line)["msg"] for line in ran.stdout.splitlines()] == [message]


def assert_the_route_is_limited_and_the_task_ends(bare: Checkout) -> None:
    port = free_port()
    service = subprocess.Popen(
        [bare.folder / ".make/service"],
        env={**bare.environment, "PORT": str(port), "DRAIN_SECONDS": "0"},
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            until(lambda: answers(client), 60)
            for size, status in ((5 << 20, 200), ((5 << 20) + 1, 413)):
                assert client.put("/v1/bare", content=b"x" * size).status_code == status
        service.terminate()
        said, _ = service.communicate(timeout=60)
        assert service.returncode == 0
        assert '"no more reports"' in said
    finally:
        service.kill()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def test_make_names_the_go_that_it_needs(tmp_path: Path) -> None:
    made = check_out(tmp_path, BARE["none"], environment_of("go"))
    tools = tmp_path / "tools"
    tools.mkdir()
    old = tools / "go"
    old.write_text("#!/bin/sh\necho go version go1.9.7 linux/amd64\n")
    old.chmod(0o755)
    path = f"{tools}:{made.environment['PATH']}"
    for target in ("run", "dev", "test", "lint", "generate"):
        ended = subprocess.run(
            ["make", "-s", target],
            cwd=made.folder,
            env={**made.environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        first, *rest = ended.stderr.splitlines()
        assert first == "This needs Go 1.26.0 or newer, found 1.9.7: https://go.dev/dl"
        assert all(line.startswith("make") for line in rest)
        assert ended.returncode == 2


def test_add_changes_no_other_dependency(tmp_path: Path) -> None:
    made = check_out(tmp_path, BARE["none"], environment_of("go"))
    manifest = made.folder / "go.mod"
    before = set(manifest.read_text().splitlines())
    made.succeed("add", NAME="github.com/shopspring/decimal")
    after = set(manifest.read_text().splitlines())
    assert before <= after
    assert [line.split()[0] for line in after - before] == ["github.com/shopspring/decimal"]
    assert made.make("add", NAME="").returncode == 2
