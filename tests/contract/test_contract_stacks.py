"""Each stack started by make, in memory with calls and in PostgreSQL: what only a process shows.

The same services get the requests of tests/data/requests.json and those made from openapi.json.
The images of the same services run the whole suite (test_contract_images.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from svcgen.contract.check import Finding
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.targets.base import MAKE
from svcgen.contract.targets.process import ProcessTarget
from tests.support.contract_checks import SMOKE
from tests.support.newer import migrate_by_newer
from tests.support.openapi_requests import SCHEMATHESIS
from tests.support.repository import STACKS_HERE
from tests.support.request_cases import CASES
from tests.support.services import Rendered, copied

# The name with a dash shows how names are spelled in variables and paths.
ANSWERS: dict[str, dict[str, object]] = {
    "things": {"calls": ["order-items"]},
    "spare-parts": {"database": "postgres"},
}
CHECKS_OF_PROCESSES = [
    *(check for check in CHECKS if MAKE in check.needs or check.name in SMOKE),
    *CASES,
    SCHEMATHESIS,
]
pytestmark = [pytest.mark.slow, pytest.mark.needs("local")]
Results = dict[str, Future[list[Finding]]]


@pytest.fixture(scope="module", params=STACKS_HERE)
def results(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    rendered: Rendered,
    postgres: Callable[[str], str],
) -> Iterator[Results]:
    """Put the services of a stack to the test at once: most of the time is waiting."""
    root = tmp_path_factory.mktemp("services")
    stack: str = request.param
    folders = {
        name: copied(rendered(name=name, stack=stack, **answers), root / stack / name)
        for name, answers in ANSWERS.items()
    }

    def check_service(name: str) -> list[Finding]:
        url, target, newer = postgres(f"{stack}-{name}"), ProcessTarget(folders[name]), ""
        if target.service.database != "none":
            newer = migrate_by_newer(target, postgres(f"{stack}-{name}-newer"))
        return run_checks(target, url, CHECKS_OF_PROCESSES, newer_url=newer)

    with ThreadPoolExecutor(len(ANSWERS)) as pool:
        yield {name: pool.submit(check_service, name) for name in ANSWERS}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_generated_service_keeps_the_contract(name: str, results: Results) -> None:
    findings = results[name].result()
    assert {one.check.name: one.detail for one in findings if one.ok is False} == {}


def test_every_check_was_run_on_some_service(results: Results) -> None:
    findings = [one for result in results.values() for one in result.result()]
    run = {one.check.name for one in findings if one.ok is not None}
    assert run == {check.name for check in CHECKS_OF_PROCESSES} >= SMOKE
