"""Every stack keeps the contract as process, in memory with calls and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from svcgen.contract.check import Finding
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.targets.process import ProcessTarget
from svcgen.render.render import render_service
from tests.support.repository import STACKS_HERE

# The name with a dash shows how names are spelled in variables and paths.
ANSWERS: dict[str, dict[str, object]] = {
    "things": {"calls": ["order-items"]},
    "spare-parts": {"database": "postgres"},
}
SHARED_PORTS = {"port-default", "trace-silent"}
pytestmark = [pytest.mark.slow, pytest.mark.needs("local")]
Results = dict[str, Future[list[Finding]]]


@pytest.fixture(scope="module", params=STACKS_HERE)
def results(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Callable[[str], str],
) -> Iterator[Results]:
    """Put the services of a stack to the test at once: most of the time is waiting."""
    root = tmp_path_factory.mktemp("services")
    stack: str = request.param

    folders = {  # written one by one: Copier changes PATH while it writes
        name: render_service(root / stack / name, {"name": name, "stack": stack, **answers})
        for name, answers in ANSWERS.items()
    }

    def check_service(name: str) -> list[Finding]:
        return run_checks(ProcessTarget(folders[name]), postgres(f"{stack}-{name}"))

    with ThreadPoolExecutor(len(ANSWERS)) as pool:
        yield {name: pool.submit(check_service, name) for name in ANSWERS}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_generated_service_keeps_the_contract(name: str, results: Results) -> None:
    findings = results[name].result()
    assert {one.check.name: one.detail for one in findings if one.ok is False} == {}


def test_every_check_was_run_on_some_service(results: Results) -> None:
    findings = [one for result in results.values() for one in result.result()]
    run = {one.check.name for one in findings if one.ok is not None}
    as_process = {check.name for check in CHECKS if "image" not in check.needs}
    assert as_process - run <= SHARED_PORTS
