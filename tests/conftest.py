"""What every test stands on: engines that are there or not, a cache that is only theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.images import images
from tests.support.postgres import postgres
from tests.support.repository import NewService, missing
from tests.support.services import Rendered, copied, rendered_below

__all__ = ["images", "postgres"]

# The files that take longest, in their order. A worker takes whole files, so a long one that starts
# last keeps the other workers waiting.
LONGEST_FIRST = (
    "run/docker/test_docker.py",
    "e2e/test_docs.py",
    "e2e/test_story.py",
    "cli/test_input_fuzz.py",
    "run/local/test_local_killed.py",
    "run/local/test_local_replace.py",
    "contract/test_contract_suite.py",
    "run/local/test_local.py",
    "contract/test_contract_images.py",
    "contract/test_contract_stacks.py",
    "template/stacks/test_java.py",
    "template/stacks/test_upgrade.py",
    "template/stacks/test_image.py",
    "update/test_fleet_proof.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first; xdist keeps this order with --no-loadscope-reorder."""
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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


@pytest.fixture(scope="session")
def rendered(shared_folder: Path) -> Rendered:
    """Return a function that renders answers once a run, for tests that only read."""
    return rendered_below(shared_folder)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def new_service(rendered: Rendered, tmp_path: Path) -> NewService:
    """Return a function that writes a service as `svcgen new NAME` does: name, then answers."""

    def new(name: str, root: Path = tmp_path, **answers: object) -> Path:
        return copied(rendered(**{"name": name, "stack": "python", **answers}), root / name)

    return new
