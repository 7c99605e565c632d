"""Every choice of answers, as the checkers of charts, Compose files, Dockerfiles, routes see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helm import faults, helm, pod_of, render, violations
from tests.support.repository import REPOSITORY, NewService
from tests.support.services import CHARTS, CHOICES, Choice, Rendered, answers_of, copied
from tests.support.workspaces import stitch

SCHEMA = REPOSITORY / "docs" / "registration.schema.json"


@pytest.mark.needs("helm")
@pytest.mark.parametrize("choice", CHARTS, ids=str)
def test_helm_and_kubernetes_take_the_chart(
    rendered: Rendered, choice: Choice, tmp_path: Path
) -> None:
    service = copied(rendered(**answers_of(choice)), tmp_path / "orders")
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
    rendered: Rendered, names: tuple[str, ...], checker: tuple[str, ...]
) -> None:
    services = [rendered(**answers_of(choice)) for choice in CHOICES]
    silent(checker, [service / name for service in services for name in names])


def test_the_stitched_compose_file_keeps_the_schema(
    new_service: NewService, tmp_path: Path
) -> None:
    for service in ("orders", "catalog"):
        new_service(service, database="postgres")
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
