"""What replicas write: captured, bounded, read back by replica, followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.run.engine import LogLine
from svcgen.run.local import logs
from tests.support.local_fleet import LocalWorkspace, tiny, until, workspace


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


@pytest.mark.needs("local")
def test_logs_of_a_fleet(shop: LocalWorkspace) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog")
    shop.up(orders=2)
    lines = list(shop.engine.logs(["orders"], follow=False, tail=1))
    assert lines == [LogLine("orders", number, "orders listens") for number in (1, 2)]
    everyone = {line.service for line in shop.engine.logs([], follow=False, tail=5)}
    assert everyone >= {"orders", "catalog"}
    followed = shop.engine.logs(["orders", "catalog"], follow=True, tail=1)
    assert [next(followed).service for _ in range(3)] == ["catalog", "orders", "orders"]
    shop.up(orders=3)
    assert next(line for line in followed if "listens" in line.text).number == 3
    shop.down()
    list(followed)  # ends with the fleet


def test_a_log_is_cut_to_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST", 1000)
    monkeypatch.setattr(logs, "REMAINING", 100)
    path = tmp_path / "orders-1.log"
    path.write_text("".join(f"line {number}\n" for number in range(1000)))
    logs.bound(path)
    assert path.stat().st_size <= 100
    assert logs.last_lines(path, 2) == ["line 998", "line 999"]


def test_following_survives_a_cut_and_half_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOOK_SECONDS", 0)
    path = tmp_path / "orders-1.log"
    path.write_text("one\n")
    steps = iter(["one\ntwo\nthr", "one\ntwo\nthree\n", "four\n"])

    def follows() -> bool:
        text = next(steps, None)
        path.write_text(text or "")
        return text is not None

    found = [line.text for line in logs.read_logs(tmp_path, [], 10, follows)]
    assert found == ["one", "two", "three", "four"]


@pytest.mark.needs("local")
def test_a_stream_of_output_does_not_fill_the_disk(shop: LocalWorkspace) -> None:
    folder = tiny(shop.root, "orders")
    makefile = folder / "Makefile"
    flood = "\n\tyes a line of a service that logs too much | head -c 1000000000"
    makefile.write_text(makefile.read_text().replace("migrate:", f"migrate:{flood}", 1))
    sizes: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            sizes.extend(path.stat().st_size for path in shop.root.rglob("orders-migrate.log"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    shop.up()
    over.set()
    watcher.join()
    assert 0 < max(sizes) < 500_000_000
    until(lambda: next(shop.root.rglob("orders-migrate.log")).stat().st_size <= logs.LARGEST)
