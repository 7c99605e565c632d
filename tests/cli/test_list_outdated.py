"""`svcgen list --outdated`: who is behind, and what a newer template changes."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.run import answered, svcgen, svcgen_process
from tests.support.templates import FIRST, SECOND, commit, git, publish

ANSWERS = ".copier-answers.yml"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a template with three versions, of which the last says nothing of itself."""
    folder = publish(tmp_path_factory.mktemp("company") / "template", "v1.0.0", FIRST)
    publish(folder, "v1.1.0", SECOND)
    return publish(folder, "v1.1.1", {"template/README.md.jinja": "# {{ name }}\n"})


@pytest.fixture(scope="module")
def made(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a service of each version."""
    folder = tmp_path_factory.mktemp("made")
    for number in (0, 1):
        words = ("new", f"of-1-{number}", "--template", template, "--ref", f"v1.{number}.0")
        assert svcgen(*words, within=folder).returncode == 0
    assert svcgen("new", "newest", "--template", template, within=folder).returncode == 0
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """Return that workspace, for a test to change."""
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def outdated(folder: Path, code: int = 3) -> dict[str, dict[str, Any]]:
    rows = answered(svcgen("list", "--outdated", "--json", within=folder), code)["services"]
    return {row["name"]: row for row in rows}


def record(folder: Path, old: str, new: str) -> None:
    file = folder / ANSWERS
    file.write_text(file.read_text().replace(old, new))


def test_services_that_are_behind_are_listed_with_the_changelog_between(workspace: Path) -> None:
    rows = outdated(workspace)
    assert {name: (row["template_version"], row["newest"]) for name, row in rows.items()} == {
        "of-1-0": ("v1.0.0", "v1.1.1"),
        "of-1-1": ("v1.1.0", "v1.1.1"),
    }
    assert rows["of-1-0"]["changelog"] == [{"version": "v1.1.0", "text": "- A newer command."}]
    assert rows["of-1-1"]["changelog"] == []
    assert {row["folder"] for row in rows.values()} == {"of-1-0", "of-1-1"}
    done = svcgen("list", "--outdated", within=workspace)
    assert done.returncode == 3
    assert "of-1-0   v1.0.0   v1.1.1" in done.stdout
    assert "\nv1.1.0\n\n- A newer command.\n" in done.stdout
    assert "Next: svcgen update --all" in done.stdout


def test_nothing_is_listed_when_all_are_current(workspace: Path) -> None:
    for behind in ("of-1-0", "of-1-1"):
        shutil.rmtree(workspace / behind)
    assert outdated(workspace, 0) == {}
    done = svcgen("list", "--outdated", within=workspace)
    assert (done.returncode, done.stdout) == (
        0,
        "Every service has the newest version of its template.\n",
    )


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: record(folder, "v1.1.1", "v9.0.0"), "v9.0.0"),
        (lambda folder: record(folder, "_commit: v1.1.1\n", ""), "without versions"),
        (lambda folder: record(folder, "v1.1.1", "1234abcd"), "1234abcd"),
        (lambda folder: record(folder, "name: newest", "name: ["), "cannot be read"),
        (lambda folder: record(folder, "_src_path: ", "_src_path: /nowhere"), "/nowhere"),
    ],
)
def test_a_service_that_cannot_be_compared_says_why(
    workspace: Path, spoil: Any, problem: str
) -> None:
    spoil(workspace / "newest")
    rows = outdated(workspace)
    assert problem in rows.pop("newest")["error"]
    assert [row["error"] for row in rows.values()] == ["", ""]
    for behind in rows:
        shutil.rmtree(workspace / behind)
    done = svcgen("list", "--outdated", within=workspace)
    assert done.returncode == 1
    assert problem in done.stderr


def test_a_newer_version_is_seen_at_the_next_command(template: Path, workspace: Path) -> None:
    own = shutil.copytree(template, workspace / "own-template")
    for name in ("of-1-0", "of-1-1", "newest"):
        record(workspace / name, str(template), str(own))
    assert "newest" not in outdated(workspace)
    (own / "template/Makefile").write_text("all:\n")
    commit(own)
    git("tag", "v2.0.0", within=own)
    assert outdated(workspace)["newest"]["newest"] == "v2.0.0"


def test_a_service_of_our_template_is_compared_with_what_svcgen_carries(tmp_path: Path) -> None:
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    assert outdated(tmp_path, 0) == {}


def test_a_hundred_services_take_less_than_a_second_of_cpu(workspace: Path) -> None:
    for number in range(100):
        copy = shutil.copytree(workspace / "of-1-0", workspace / f"copy-{number}")
        record(copy, "name: of-1-0", f"name: copy-{number}")
    outdated(workspace)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = svcgen_process("list", "--outdated", within=workspace)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert len(done.stdout.splitlines()) > 100


def test_no_render_is_needed(workspace: Path) -> None:
    """Copier alone takes longer to load than a whole fleet to be looked at."""
    program = (
        "import sys; from svcgen.cli.app import app\n"
        "try: app(['list', '--outdated'])\n"
        "except SystemExit: print('copier' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workspace,
        capture_output=True,
        text=True,
    )
    assert said.stdout.splitlines()[-1] == "False"
