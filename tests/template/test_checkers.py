"""Every choice of answers, as the checkers of charts, Compose files, Dockerfiles, routes see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from svcgen.render.render import render_service
from tests.support.helm import faults, helm, pod_of, render, violations
from tests.support.repository import REPOSITORY
from tests.template.test_template import CHOICES
from tests.support.workspaces import stitch

Choice = tuple[str, str, tuple[str, ...]]
Services = dict[Choice, Path]
EVERY: list[Choice] = [(stack, database, tuple(calls)) for stack, database, calls in CHOICES]
SCHEMA = REPOSITORY / "docs" / "registration.schema.json"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Every choice, written once."""
    root = tmp_path_factory.mktemp("services")
    return {choice: write(root, choice) for choice in EVERY}


def write(root: Path, choice: Choice) -> Path:
    stack, database, calls = choice
    answers = {"name": "orders", "stack": stack, "database": database, "calls": list(calls)}
    return render_service(root / "-".join((stack, database, *calls)) / "orders", answers)


@pytest.mark.needs("helm")
@pytest.mark.parametrize("choice", EVERY, ids=lambda choice: "-".join((*choice[:2], *choice[2])))
def test_helm_and_kubernetes_take_the_chart(services: Services, choice: Choice) -> None:
    service = services[choice]
    assert helm("lint", "--strict", "--quiet", service / "chart") == ""
    objects = render(service, {})
    assert {"Deployment", "Service", "NetworkPolicy"} <= {one["kind"] for one in objects}
    assert [fault for one in objects for fault in faults(one)] == []
    assert [rule for one in objects for rule in violations(pod_of(one))] == []


@pytest.mark.parametrize(
    ("names", "checker"),
    [
        (
            ("compose.yaml", "compose.override.yaml"),
            ("check-jsonschema", "--builtin-schema=vendor.compose-spec"),
        ),
        (("chart/registration.yaml",), ("check-jsonschema", f"--schemafile={SCHEMA}")),
        (("Dockerfile",), ("hadolint",)),
    ],
    ids=["compose", "registration", "hadolint"],
)
def test_a_checker_finds_no_fault(
    services: Services, names: tuple[str, ...], checker: tuple[str, ...]
) -> None:
    silent(checker, [service / name for service in services.values() for name in names])


def test_the_stitched_compose_file_keeps_the_schema(tmp_path: Path) -> None:
    for service in ("orders", "catalog"):
        render_service(tmp_path / service, {"name": service, "database": "postgres"})
    stitch(tmp_path)
    schema = ("check-jsonschema", "--builtin-schema=vendor.compose-spec")
    silent(schema, [tmp_path / "compose.yaml"])


def silent(checker: tuple[str, ...], files: list[Path]) -> None:
    """Run a checker over files; it finds nothing."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which(checker[0], path=places) or checker[0]
    done = subprocess.run(
        [program, *checker[1:], *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
