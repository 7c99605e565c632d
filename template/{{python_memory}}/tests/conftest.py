"""One service for all tests. Add your own fixtures."""

import tempfile
from collections.abc import Iterator

import pytest
from running import Service, started


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The variables of the service, apart from the addresses of called services."""
    return {}


@pytest.fixture(scope="session")
def service(environment: dict[str, str]) -> Iterator[Service]:
    with tempfile.NamedTemporaryFile() as log, started(environment, log) as running:
        yield running
