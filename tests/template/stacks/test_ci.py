"""A service's own CI: sound to three checkers, pinned, with no more rights than it needs, and true.

Its steps run here as they stand: those that every stack has in common.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.ports import free_port
from tests.support.images import Images
from tests.support.repository import REPOSITORY, STACKS
from tests.support.services import Rendered, copied

WORKFLOW = ".github/workflows/ci.yml"
CHECKERS = (
    ("actionlint",),
    ("zizmor", "--offline", "--no-progress"),
    ("check-jsonschema", "--quiet", "--builtin-schema=vendor.github-workflows"),
)


def read(service: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load((service / WORKFLOW).read_text(encoding="utf-8"))
    return workflow


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker[0])
@pytest.mark.parametrize("stack", STACKS)
def test_its_checkers_are_silent(rendered: Rendered, stack: str, checker: tuple[str, ...]) -> None:
    service = rendered(name="orders", stack=stack)
    program = Path(sys.executable).with_name(checker[0])
    command: list[str | Path] = [program, *checker[1:], service / WORKFLOW]
    done = subprocess.run(command, capture_output=True, text=True, cwd=service)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("stack", STACKS)
def test_it_is_pinned_and_may_only_read(rendered: Rendered, stack: str) -> None:
    service = rendered(name="orders", stack=stack)
    workflow = read(service)
    assert workflow["permissions"] == {}
    assert [job["permissions"] for job in workflow["jobs"].values()] == [{"contents": "read"}]
    uses = re.findall(r"uses: (.*)", (service / WORKFLOW).read_text(encoding="utf-8"))
    assert len(uses) == 2
    for use in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)


def test_the_contract_is_checked_by_the_svcgen_of_this_release(rendered: Rendered) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    workflow = (rendered(name="orders") / WORKFLOW).read_text(encoding="utf-8")
    assert f"svcgen=={project['project']['version']} svcgen verify" in workflow


# Stands for pipx, which would install svcgen from an index: the rules that an image alone shows.
PIPX = """#!/bin/sh
shift 3
exec "$@" --only image-user --only migrate --only call-retried --only drain-exits
"""


@pytest.mark.slow
@pytest.mark.needs("docker", "helm", "jq")
@pytest.mark.parametrize("stack", STACKS)
def test_its_steps_pass_on_what_was_made(images: Images, tmp_path: Path, stack: str) -> None:
    rendered = images.folder(stack, "postgres")  # so BuildKit has its layers
    service = copied(rendered, tmp_path / rendered.name)
    pipx = tmp_path / "bin/pipx"
    pipx.parent.mkdir()
    pipx.write_text(PIPX)
    pipx.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{pipx.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORT": str(free_port()),
        "VERSION": f"ci-{os.getpid()}",
        "COMPOSE_PROJECT_NAME": f"ci-of-{stack}",
    }

    def run(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-eo", "pipefail", "-c", script]  # as GitHub runs a step
        return subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True)

    steps = [step["run"] for step in read(service)["jobs"]["check"]["steps"] if "run" in step]
    assert steps[:2] == ["make lint", "make test"]  # run by the stack's own tests
    try:
        for step in steps[2:]:
            done = run(step)
            assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
        (service / "openapi.json").write_text("{}")
        assert run(steps[-1]).returncode == 1, "a document that is not true passes"
    finally:
        run("docker compose down --volumes --rmi=local --timeout=5")
