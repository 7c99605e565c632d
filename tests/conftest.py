"""What every test stands on: engines that are there or not, a cache that is only theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.repository import NewService, missing


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here, or fail it when SVCGEN_REQUIRE names what is missing."""
    required = os.environ.get("SVCGEN_REQUIRE", "").split(",")
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            reason = missing(need)
            if reason and need in required:
                pytest.fail(f"SVCGEN_REQUIRE names {need}, but {reason}", pytrace=False)
            if reason:
                pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def quiet_surroundings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's own Copier settings, and its cache of templates, out of the tests."""
    empty = tmp_path_factory.mktemp("settings") / "settings.yml"
    empty.write_text("{}\n")
    os.environ["COPIER_SETTINGS_PATH"] = str(empty)
    os.environ["SVCGEN_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def new_service(tmp_path: Path) -> NewService:
    """Return a function that writes a service as `svcgen new NAME` does: name, then answers."""

    def new(name: str, root: Path = tmp_path, **answers: object) -> Path:
        from svcgen.render.render import render_service

        return render_service(root / name, {"name": name, "stack": "python", **answers})

    return new
