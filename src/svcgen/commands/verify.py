"""`svcgen verify`: check a service against the contract, as a folder, an image or a URL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from svcgen.contract.http import connect
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.targets.image import ImageTarget, docker
from svcgen.contract.targets.process import ProcessTarget
from svcgen.contract.targets.url import UrlTarget
from svcgen.errors import SvcgenError, counted
from svcgen.gateway.registration import read_registration
from svcgen.service import Service, is_service, read_service

if TYPE_CHECKING:
    from svcgen.contract.check import Finding
    from svcgen.contract.targets.base import Target

Report = Callable[[str, str], None]
# Seconds: seven JVMs that start at once on two busy cores take more than a minute.
START_TIMEOUT = 150.0
STEP = 10  # rules between two lines of progress
HOW_TO_NAME = (
    "Name the folder of a service, an image, or a URL: svcgen verify http://127.0.0.1:8080"
)


@dataclass(frozen=True)
class VerifyResult:
    """What the contract's checks found, in the order of docs/contract.md."""

    service: str
    target: str
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings of broken rules."""
        return tuple(one for one in self.findings if one.ok is False)


def verify(target: str, folder: Path, only: Sequence[str], report: Report) -> VerifyResult:
    """Check a target against the contract.

    `folder` is the service's, for an image or a URL. `only` are names of rules; empty is all. The
    database of a service that has one is that of DATABASE_URL. Raises SvcgenError when the target
    does not exist or cannot be started.
    """
    checks = [check for check in CHECKS if not only or check.name in only]
    url = os.environ.get("DATABASE_URL", "")
    found = _target(target, folder, url)
    ended: list[Finding] = []

    def count(finding: Finding) -> None:
        ended.append(finding)
        if len(ended) % STEP == 0:
            report(found.service.name, f"{len(ended)} of {len(checks)} rules")

    report(found.service.name, f"checking {counted(len(checks), 'rule')}")
    _require_answer(found)
    findings = run_checks(found, url, checks, START_TIMEOUT, report=count)
    if all(one.ok is None for one in findings):
        reasons = dict.fromkeys(f"{one.check.name} {one.detail}" for one in findings)
        raise SvcgenError(f"No rule can be checked here: {'; '.join(reasons)}.")
    return VerifyResult(found.service.name, target, tuple(findings))


def _require_answer(target: Target) -> None:
    """Raise SvcgenError when nothing listens at a URL: no rule would be kept."""
    if isinstance(target, UrlTarget):
        connection = connect(target.address)
        try:
            with closing(connection):
                connection.connect()
        except OSError as error:
            raise SvcgenError(
                f"{target.url} does not answer: {error}.",
                "Start the service, or name the address of a replica: svcgen ps shows it.",
            ) from error


def _target(target: str, folder: Path, database_url: str) -> Target:
    if "://" in target:
        return UrlTarget(target, _service(folder, ""))
    if Path(target).is_dir():
        return _process(Path(target), database_url)
    if os.path.lexists(target):
        raise SvcgenError(f"{target} is not the folder of a service.", HOW_TO_NAME)
    if target.startswith((".", "/", "~")):
        raise SvcgenError(f"{target} does not exist.", HOW_TO_NAME)
    return _image(target, folder, database_url)


def _process(folder: Path, database_url: str) -> ProcessTarget:
    service = _service(folder, database_url)
    if not (folder / "Makefile").is_file():
        raise SvcgenError(
            f"{folder} has no Makefile with the goals `run` and `migrate`.",
            f"Check its image: svcgen verify IMAGE --service {folder}",
        )
    return ProcessTarget(folder.resolve(), service)


def _image(image: str, folder: Path, database_url: str) -> ImageTarget:
    if shutil.which("docker") is None:
        raise SvcgenError(f"{image} is not a folder, and docker is not installed.", HOW_TO_NAME)
    try:
        docker("image", "inspect", image)
    except SvcgenError as error:
        raise SvcgenError(
            f"{image} is not a folder, and Docker does not have an image of this name: "
            f"{error.problem}",
            f"Build it: docker build -t {quote(image)} {quote(str(folder))}",
        ) from error
    return ImageTarget(image, _service(folder, database_url))


def _service(folder: Path, database_url: str) -> Service:
    """Read the service; one without a template has a database if there is a URL for it."""
    if not is_service(folder):
        raise SvcgenError(
            f"{folder.absolute()} is not a service: chart/registration.yaml does not exist.",
            "Name the service's folder, for an image or a URL with --service DIR.",
        )
    described = read_service(folder)
    registration = read_registration(described.registration)
    # The answers are those of the template; the registration says what the service calls today.
    service = replace(described, calls=registration.calls)
    if service.template or not database_url:
        return service
    return replace(service, database="postgres")
