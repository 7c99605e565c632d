"""A migration that expands the schema, applied to a running service under load, in each stack."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import environment_of
from tests.support.local_fleet import LocalWorkspace, load, psql, workspace
from tests.support.repository import STACKS_HERE, NewService
from tests.support.run import svcgen

pytestmark = [pytest.mark.slow, pytest.mark.needs("local", "make")]
STATEMENT = "alter table items add column price integer"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalWorkspace]:
    yield from workspace(tmp_path)


@pytest.mark.parametrize("stack", STACKS_HERE)
def test_a_column_is_added_and_no_request_is_lost(
    stack: str, shop: LocalWorkspace, new_service: NewService
) -> None:
    folder = new_service("orders", shop.root, stack=stack, database="postgres")
    shop.up()
    fill(folder / begin(folder, stack))
    with load(shop.port, "/v1/orders", rate=30) as statuses:
        shop.replace("orders")
    assert list(statuses) == [200]
    assert psql(database_of(shop), "select count(price) from items") == "0"


def begin(folder: Path, stack: str) -> str:
    """Begin a migration as its README says; return its file."""
    command = ["make", "-s", "migration", "NAME=add_price"]
    done = subprocess.run(
        command, cwd=folder, env=environment_of(stack), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fill(file: Path) -> None:
    """Write what a developer would: one statement, in SQL or in Alembic's upgrade."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        upgrade = f'def upgrade() -> None:\n    op.execute("{STATEMENT}")\n'
        text, count = re.subn(r"def upgrade\(\) -> None:\n( .*\n|\n(?= ))*", upgrade, text)
        assert count == 1, text
        text = text if "from alembic import op" in text else f"from alembic import op\n{text}"
    else:
        text += f"{STATEMENT};\n"
    file.write_text(text, encoding="utf-8")


def database_of(shop: LocalWorkspace) -> str:
    done = svcgen("env", "orders", "--json", within=shop.root)
    assert done.returncode == 0, done.stderr
    variables: dict[str, str] = json.loads(done.stdout)["variables"]
    return variables["DATABASE_URL"]
