"""What `up` remembers, refuses before it starts anything, and says about what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.down import down
from svcgen.commands.up import up
from svcgen.errors import SvcgenError
from svcgen.ports import free_port
from svcgen.run.local.logs import last_lines
from svcgen.run.local.paths import Paths
from svcgen.workspace import open_workspace
from tests.support.local_fleet import LocalWorkspace, tiny, workspace
from tests.support.workspaces import edit

pytestmark = pytest.mark.needs("local")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


def test_engine_and_port_are_those_of_the_last_up(shop: LocalWorkspace) -> None:
    broken = tiny(shop.root, "orders") / "broken"
    broken.touch()
    url = f"http://127.0.0.1:{shop.port}"
    with pytest.raises(SvcgenError, match="orders-1 ended"):
        up(open_workspace(shop.root), engine="local", port=shop.port)
    broken.unlink()
    first = up(open_workspace(shop.root), report=shop.report)
    assert (first.engine, first.url) == ("local", url)
    assert ("gateway", f"port {shop.port}, as in the last `svcgen up`; --port changes it") in (
        shop.reported
    )
    down(open_workspace(shop.root))
    again = up(open_workspace(shop.root))
    assert (again.engine, again.url) == ("local", url)
    assert "--engine docker changes it" in again.why or "no Docker" in again.why
    down(open_workspace(shop.root))
    configured = free_port()
    (shop.root / "svcgen.yaml").write_text(f"gateway: {{port: {configured}}}\n")
    assert up(open_workspace(shop.root)).url == f"http://127.0.0.1:{configured}"


def test_all_missing_programs_are_named_at_once(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, stack in {"billing": "java", "catalog": "go"}.items():
        answers = tiny(shop.root, name) / ".copier-answers.yml"
        edit(answers, lambda written, stack=stack: written.update(stack=stack))  # type: ignore[misc]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SVCGEN_ENVOY", str(tmp_path / "no-envoy"))
    with pytest.raises(SvcgenError) as error:
        shop.up()
    for program in ("make is not on PATH", "no-envoy", "`go` 1.26", "`mvn`"):
        assert program in error.value.problem
    assert "https://go.dev/dl" in error.value.advice


def test_replicas_have_numbers_of_their_own(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    shop.up()
    for _ in range(5):
        shop.restart("orders")
    assert [row.number for row in shop.rows("orders")] == [6]
    kept = sorted(path.name for path in Paths(shop.root).logs.glob("orders-[0-9]*.log"))
    assert kept == ["orders-4.log", "orders-5.log", "orders-6.log"]
    (folder / "broken").touch()
    with pytest.raises(SvcgenError) as error:
        shop.restart("orders")
    assert error.value.problem.count("DATABASE_URL: missing") == 1
    assert "orders listens" not in error.value.problem


@pytest.mark.parametrize(
    ("offset", "lines"), [(0, ["one", "two"]), (4, ["two"]), (99, ["one", "two"])]
)
def test_the_last_lines_begin_where_a_process_began(
    tmp_path: Path, offset: int, lines: list[str]
) -> None:
    log = tmp_path / "orders-1.log"
    log.write_text("one\ntwo\n")
    assert last_lines(log, 5, offset) == lines


def test_down_shows_that_a_service_does_not_stop(
    shop: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", "6")
    tiny(shop.root, "orders")
    shop.up()
    shop.down()
    assert ("orders", "stopping for 5 s; killed after 30 s") in shop.reported


def test_lost_passwords_are_named_with_the_way_out(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders", database="postgres")
    shop.up()
    shop.down()
    Paths(shop.root).passwords.unlink()
    with pytest.raises(SvcgenError, match="has data, and its passwords are lost") as error:
        shop.up()
    assert "svcgen down --volumes" in error.value.advice
    shop.engine.down(shop.report, volumes=True)
    shop.up()


def test_a_gateway_of_another_version_is_replaced(shop: LocalWorkspace) -> None:
    """Its bootstrap lacks what the files of this version may need."""
    tiny(shop.root, "orders")
    shop.up()
    (before,) = shop.rows("gateway")
    (bootstrap,) = (shop.root / ".svcgen").rglob("gateway/envoy.json")
    bootstrap.write_text(bootstrap.read_text().replace('"stats_flush_interval"', '"stats_old"'))
    shop.up()
    (after,) = shop.rows("gateway")
    assert after.pid != before.pid
    assert shop.get("/v1/orders")[0] == 200
