"""A database as a newer version of a service leaves it."""

from __future__ import annotations

import subprocess

from svcgen.contract.targets.process import ProcessTarget
from svcgen.run.local.supervisor.postgres import find_postgres

# What a later migration adds to the list of applied migrations, where each stack's tool keeps it.
LATER = {
    "python": "UPDATE alembic_version SET version_num = '9999'",
    "go": "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)",
    "typescript": "INSERT INTO migrations VALUES ('9999_later.sql')",
    "java": "INSERT INTO flyway_schema_history VALUES"
    " (99, '9999', 'later', 'SQL', 'V9999__later.sql', 1, 'x', now(), 1, true)",
}


def migrate_by_newer(target: ProcessTarget, url: str) -> str:
    """Migrate a database as a version with one more migration does, and return its URL."""
    migration = target.migrate({"DATABASE_URL": url})
    assert migration.exit_code(300) == 0, migration.last_lines()
    command = [f"{find_postgres()}/psql", url, "--command", LATER[target.service.stack]]
    subprocess.run([*command, "--set=ON_ERROR_STOP=1"], check=True, capture_output=True)
    return url
