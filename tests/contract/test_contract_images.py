"""The contract of images: the rules that only an image has, and a generated service's image."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from svcgen.contract.check import Check
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.targets.base import IMAGE
from svcgen.contract.targets.image import ImageTarget
from svcgen.service import read_service
from tests.contract.reference.on_disk import REPOSITORY, write_reference
from tests.support.contract_checks import STOPPED, asked_of_one_service
from tests.support.images import Images
from tests.support.run import svcgen
from tests.support.services import PAIRS

pytestmark = [pytest.mark.slow, pytest.mark.needs("docker", "local")]
OF_IMAGES = [check for check in CHECKS if IMAGE in check.needs]
SHARED_PORTS = {"port-default", "trace-silent"}
# The image with a database is asked all. The one without differs in its store, its health and its
# end, and the Dockerfile packs other files. Settings, signals and exporters are the same sources:
# the checks that start a service with other variables are not repeated.
WITHOUT_DATABASE = asked_of_one_service("migrate", "image-health", *STOPPED)
DOCKERFILE = """\
ARG BUILD_IMAGE=python:3.14-slim-trixie
ARG RUNTIME_IMAGE=python:3.14-slim-trixie
FROM ${RUNTIME_IMAGE}
ARG VERSION=1
ARG REVISION=abc
LABEL org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1
COPY reference /app/tests/contract/reference
COPY probe.py /app/
USER 65532
HEALTHCHECK CMD ["python", "/app/probe.py"]
ENTRYPOINT ["python", "-m", "tests.contract.reference.main"]
"""
PROBE = """\
import os, urllib.request as http
direct = http.build_opener(http.ProxyHandler({}))  # the suite names a proxy that does not exist
direct.open("http://127.0.0.1:%s/readyz" % os.environ.get("PORT", "8080"))
"""
BROKEN = {
    "image-user": ("USER 65532", "USER 1000"),
    "image-read-only": ("ENV ", "ENV BREAK=image-read-only "),
    "image-labels": ("LABEL org.opencontainers.image.version=${VERSION} ", "LABEL "),
    "image-health": ('CMD ["python", "/app/probe.py"]', "CMD python /app/probe.py"),
    "image-arguments": ("FROM ${RUNTIME_IMAGE}", "FROM python:3.14-slim-trixie"),
}


def write_image(folder: Path, rule: str) -> Path:
    """Write the reference with a Dockerfile that breaks one rule, or none."""
    write_reference(folder)
    shutil.copytree(
        REPOSITORY / "tests/contract/reference",
        folder / "reference",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    right, wrong = BROKEN.get(rule, ("", ""))
    (folder / "Dockerfile").write_text(DOCKERFILE.replace(right, wrong, 1) if rule else DOCKERFILE)
    (folder / "probe.py").write_text(PROBE)
    return folder


@pytest.mark.parametrize("check", OF_IMAGES, ids=lambda check: check.name)
def test_an_image_that_breaks_the_rule_fails_its_check(
    check: Check, images: Images, tmp_path: Path, fake_database: str
) -> None:
    folder = write_image(tmp_path / "things", check.name)
    target = ImageTarget(images.build(folder, check.name), read_service(folder))
    (finding,) = run_checks(target, fake_database, [check], 8)
    assert finding.ok is False, finding.detail


def test_an_image_that_keeps_the_rules_passes(
    images: Images, tmp_path: Path, fake_database: str
) -> None:
    folder = write_image(tmp_path / "things", "")
    target = ImageTarget(images.build(folder, "unbroken"), read_service(folder))
    found = run_checks(target, fake_database, OF_IMAGES, 8)
    assert {one.check.name: one.detail for one in found if not one.ok} == {}
    words = ("verify", target.image, "--only", "image-user")
    done = svcgen(*words, within=folder, DATABASE_URL=fake_database)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken, 0 not checked" in done.stdout


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_the_image_of_a_generated_service_keeps_the_contract(
    stack: str, database: str, images: Images, postgres: Callable[[str], str]
) -> None:
    service = read_service(images.folder(stack, database))
    target = ImageTarget(images.of(stack, database), service)
    url = postgres(f"image-{stack}") if database == "postgres" else ""
    checks = CHECKS if url else WITHOUT_DATABASE
    found = run_checks(target, url, checks, start_timeout=180)  # seven start at once
    assert {one.check.name: one.detail for one in found if one.ok is False} == {}
    not_run = {one.check.name for one in found if one.ok is None}
    by_make = {"run-one-process", "migrate-newer"}  # test_contract_stacks.py runs these
    assert not_run - SHARED_PORTS == by_make & {check.name for check in checks}
