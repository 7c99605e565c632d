"""One service for all tests, on its own schema. Add your own fixtures."""

import tempfile
from collections.abc import Iterator

import pytest
from database import created_schema
from running import Service, start, started


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The variables of the service, apart from the addresses of called services."""
    with created_schema() as url, tempfile.TemporaryFile() as log:
        assert start({"DATABASE_URL": url}, log, "migrate").wait(60) == 0
        yield {"DATABASE_URL": url}


@pytest.fixture(scope="session")
def service(environment: dict[str, str]) -> Iterator[Service]:
    with tempfile.NamedTemporaryFile() as log, started(environment, log) as running:
        yield running
