"""How often one command starts the docker program."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from svcgen.commands.down import down
from tests.support.docker_fleet import DockerWorkspace, new_workspace, tiny

pytestmark = pytest.mark.needs("docker")

WRAPPER = """\
#!/bin/sh
echo "$*" >> "{log}"
exec "{docker}" "$@"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DockerWorkspace]:
    made = new_workspace(tmp_path / f"shop-count-{os.getpid()}")
    yield made
    down(made.workspace, volumes=True)


def test_up_on_a_running_fleet_starts_few_docker_processes(
    shop: DockerWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(shop.root, "orders")
    tiny(shop.root, "catalog", calls=["orders"])
    shop.up()
    log = tmp_path / "log"
    wrapper = tmp_path / "bin" / "docker"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(log=log, docker=shutil.which("docker")))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    shop.up()
    calls = log.read_text().splitlines()
    assert len(calls) <= 25, "\n".join(calls)
