"""`svcgen update` on services of their own repository, of a monorepo, and of a plain folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from svcgen.errors import SvcgenError
from svcgen.merge.files import File, write_file
from svcgen.update import transaction as apply
from svcgen.update.jobs import plan_updates
from svcgen.update.model import UpdateOptions
from svcgen.update.selection import select
from svcgen.update.transaction import service_lock
from svcgen.update.worker import update_service
from tests.support.run import answered, svcgen
from tests.support.templates import (
    COPIER_YML,
    FIRST,
    SECOND,
    Files,
    commit,
    git,
    in_git,
    publish,
    write,
)
from tests.support.updates import Make, created, made, own_cache, text, versions

__all__ = ["created", "made", "own_cache", "versions"]

MARKED = "<<<<<<< yours"


@pytest.fixture
def orders(made: Make) -> Path:
    """Return a service of v1.0.0 in a repository of its own."""
    return in_git(made())


def state(folder: Path) -> dict[Path, bytes]:
    """Return all that a folder holds, but for git's own."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path: path.read_bytes() for path in files}


def test_an_update_takes_the_newer_and_keeps_each_edit(orders: Path) -> None:
    write(orders, {"Dockerfile": text(orders, "Dockerfile").replace("scratch", "debian")})
    write(orders, {"src/store.py": "MINE = {}\n", "src/own.py": "own = 1\n"})
    commit(orders)
    (outcome,) = answered(svcgen("update", "--json", within=orders))["services"]
    assert (outcome["old"], outcome["new"], outcome["state"]) == ("v1.0.0", "v1.1.0", "updated")
    assert text(orders, "Dockerfile") == "FROM debian\n\nUSER 65532\n\nCOPY . /\n\nCMD two\n"
    assert text(orders, "src/store.py") == "MINE = {}\n"
    assert text(orders, "src/own.py") == "own = 1\n"
    assert text(orders, "src/telemetry.py") == "TRACES = True\n"
    assert yaml.safe_load(text(orders, ".copier-answers.yml"))["_commit"] == "v1.1.0"
    assert not list(orders.glob(".svcgen-*"))


def test_what_is_current_stays_as_it_is(orders: Path) -> None:
    svcgen("update", within=orders)
    commit(orders)
    before = state(orders)
    (outcome,) = answered(svcgen("update", "--json", within=orders))["services"]
    assert outcome["state"] == "current"
    assert state(orders) == before


def test_a_lock_is_taken_with_its_manifest_and_left_without(made: Make, tmp_path: Path) -> None:
    taken, left = made("taken"), made("left")
    write(
        left,
        {"pyproject.toml": text(left, "pyproject.toml").replace('"log', '"own==1.0",\n    "log')},
    )
    in_git(tmp_path)
    outcomes = answered(svcgen("update", "--all", "--json", within=tmp_path))["services"]
    needed = {outcome["service"]: outcome["lock_needed"] for outcome in outcomes}
    assert needed == {"left": True, "taken": False}
    assert text(taken, "requirements.txt") == "web==2.0\nlog==1.0\n"
    assert text(left, "requirements.txt") == "web==1.0\nlog==1.0\n"
    assert '"web==2.0"' in text(left, "pyproject.toml")
    assert '"own==1.0"' in text(left, "pyproject.toml")


@pytest.fixture
def conflicted(orders: Path) -> Path:
    """Return a service whose update has met an edit."""
    write(orders, {"Dockerfile": text(orders, "Dockerfile").replace("CMD one", "CMD mine")})
    commit(orders)
    done = svcgen("update", "--json", within=orders)
    (outcome,) = answered(done, 3)["services"]
    assert [conflict["path"] for conflict in outcome["conflicts"]] == ["Dockerfile"]
    return orders


def test_a_conflict_shows_all_three_versions_and_waits(conflicted: Path) -> None:
    marked = text(conflicted, "Dockerfile")
    for line in (MARKED, "CMD mine", "template v1.0.0", "CMD one", "CMD two", "template v1.1.0"):
        assert line in marked
    again = svcgen("update", within=conflicted)
    assert again.returncode == 1
    assert "is in progress" in again.stderr
    assert "--continue" in again.stderr
    early = svcgen("update", "--continue", within=conflicted)
    assert early.returncode == 1
    assert "Dockerfile" in early.stderr
    assert text(conflicted, "Dockerfile") == marked


def test_a_resolved_conflict_ends_the_update(conflicted: Path) -> None:
    write(conflicted, {"Dockerfile": "CMD mine and two\n"})
    done = svcgen("update", "--continue", within=conflicted)
    assert done.returncode == 0, done.stderr
    assert text(conflicted, "Dockerfile") == "CMD mine and two\n"
    assert not (conflicted / ".svcgen-update").exists()


def test_abort_brings_all_back(conflicted: Path) -> None:
    done = svcgen("update", "--abort", within=conflicted)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=conflicted) == ""
    nothing = svcgen("update", "--abort", within=conflicted)
    assert nothing.returncode == 1
    assert "No update in progress" in nothing.stderr


def detach(folder: Path) -> None:
    git("checkout", "--quiet", "--detach", within=folder)


def edit_answers(folder: Path, old: str, new: str) -> None:
    write(folder, {".copier-answers.yml": text(folder, ".copier-answers.yml").replace(old, new)})
    commit(folder)


def change_stack(folder: Path) -> None:
    for name in (
        "Dockerfile",
        "Makefile",
        "README.md",
        "src/health.py",
        "src/store.py",
        "pyproject.toml",
    ):
        (folder / name).unlink()
    commit(folder)


REFUSED: dict[str, tuple[Callable[[Path], None], tuple[str, ...], str]] = {
    "a dirty tree": (lambda folder: write(folder, {"Dockerfile": "x\n"}), (), "not committed"),
    "an untracked file": (lambda folder: write(folder, {"new.py": "x\n"}), (), "not committed"),
    "no git repository": (lambda folder: shutil.rmtree(folder / ".git"), (), "--force"),
    "a detached head": (detach, ("--commit",), "detached HEAD"),
    "a branch that is there": (lambda _: None, ("--branch", "other"), "already exists"),
    "a branch that cannot be": (lambda _: None, ("--branch", "a..b"), "not a name for a branch"),
    "a version that is not there": (lambda _: None, ("--ref", "v0.9.0"), "v0.9.0"),
    "broken answers": (
        lambda folder: edit_answers(folder, "name:", "name: ["),
        (),
        "cannot be read",
    ),
    "an answer that is refused": (
        lambda folder: edit_answers(folder, "database: none", "database: mongo"),
        (),
        "database",
    ),
    "other answers than the service was made with": (change_stack, (), "changed by hand"),
    "a version that nobody knows": (
        lambda folder: edit_answers(folder, "v1.0.0", "v9.0.0"),
        (),
        "v9.0.0",
    ),
    "git is not installed": (lambda _: None, (), "git is not installed"),
    "a way back": (
        lambda folder: edit_answers(folder, "v1.0.0", "v1.1.0"),
        ("--ref", "v1.0.0"),
        "only goes forward",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_updated_is_refused_and_untouched(
    reason: str, orders: Path, tmp_path: Path
) -> None:
    spoil, words, message = REFUSED[reason]
    git("branch", "other", within=orders)
    spoil(orders)
    before = state(orders)
    variables = {"PATH": str(tmp_path)} if "not installed" in reason else {}
    done = svcgen("update", *words, within=orders, **variables)
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert state(orders) == before


def test_a_version_that_cannot_render_the_answers_is_named(tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", FIRST)
    failing = "{{ 1 / (name != 'orders') | int }}\n"
    publish(template, "v1.1.0", {"template/README.md.jinja": failing})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    before = state(orders)
    done = svcgen("update", within=orders)
    assert done.returncode == 1, done.stdout
    assert f"{template} v1.1.0 cannot be used: ZeroDivisionError" in done.stderr
    assert state(orders) == before


def test_a_service_of_a_newer_svcgen_is_left_alone(tmp_path: Path) -> None:
    assert svcgen("new", "orders", "--yes", within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    answers = (orders / ".copier-answers.yml").read_text()
    commit_ = next(line for line in answers.splitlines() if line.startswith("_commit: "))
    edit_answers(orders, commit_, "_commit: v999.0.0")
    done = svcgen("update", within=orders)
    assert done.returncode == 1, done.stdout
    assert "v999.0.0 needs a newer svcgen" in done.stderr
    assert git("status", "--porcelain", within=orders) == ""


def test_force_updates_a_plain_folder(made: Make) -> None:
    folder = made()
    done = svcgen("update", "--force", within=folder)
    assert done.returncode == 0, done.stderr
    assert text(folder, "Dockerfile").endswith("CMD two\n")


def test_a_monorepos_other_work_is_not_touched(made: Make, tmp_path: Path) -> None:
    made("orders"), made("catalog")
    in_git(tmp_path)
    write(tmp_path, {"catalog/Dockerfile": "FROM mine\n", "notes.txt": "to do\n"})
    git("add", "notes.txt", within=tmp_path)
    before = git("status", "--porcelain", within=tmp_path)
    done = svcgen("update", "orders", "--branch", "newer", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=tmp_path) == before
    assert git("branch", "--show-current", within=tmp_path) == "newer\n"
    changed = git("show", "--name-only", "--format=", "HEAD", within=tmp_path).split()
    assert changed
    assert all(name.startswith("orders/") for name in changed)
    assert "A newer command." in git("log", "-1", "--format=%B", within=tmp_path)


def test_a_commit_waits_for_its_conflicts(conflicted: Path) -> None:
    svcgen("update", "--abort", within=conflicted)
    done = svcgen("update", "--branch", "newer", within=conflicted)
    assert done.returncode == 3, done.stderr
    write(conflicted, {"Dockerfile": "CMD both\n"})
    assert svcgen("update", "--continue", within=conflicted).returncode == 0
    assert git("status", "--porcelain", within=conflicted) == ""
    assert "v1.0.0 to v1.1.0" in git("log", "-1", "--format=%s", within=conflicted)


def test_a_dry_run_prints_a_patch_that_does_the_same(orders: Path) -> None:
    write(orders, {"Dockerfile": text(orders, "Dockerfile").replace("scratch", "debian")})
    commit(orders)
    before = state(orders)
    done = svcgen("update", "--dry-run", within=orders)
    assert done.returncode == 0, done.stderr
    assert state(orders) == before
    applied = ["git", "apply", "-"]
    subprocess.run(applied, cwd=orders, input=done.stdout, text=True, check=True)
    by_patch = state(orders)
    git("checkout", "--quiet", "--", ".", within=orders)
    git("clean", "--quiet", "--force", "-d", within=orders)
    assert svcgen("update", within=orders).returncode == 0
    assert state(orders) == by_patch


def test_a_patch_has_the_bytes_of_a_file_that_is_no_utf_8(orders: Path) -> None:
    latin = (orders / "Dockerfile").read_bytes().replace(b"COPY", b"# caf\xe9\nCOPY")
    write(orders, {"Dockerfile": latin})
    commit(orders)
    command = [sys.executable, "-m", "svcgen", "update", "--dry-run"]
    usual = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}  # as where LANG is en_US.UTF-8
    patch = subprocess.run(command, cwd=orders, env=usual, capture_output=True, check=True).stdout
    subprocess.run(["git", "apply", "-"], cwd=orders, input=patch, check=True)
    assert (orders / "Dockerfile").read_bytes() == latin.replace(b"one", b"two")
    git("stash", "--quiet", "--include-untracked", within=orders)
    (outcome,) = answered(svcgen("update", "--dry-run", "--json", within=orders))["services"]
    assert "# caf\ufffd" in outcome["diff"]


def test_an_answer_can_be_given_anew(orders: Path) -> None:
    edit_answers(orders, "database: none", "database: mongo")
    done = svcgen("update", "-d", "database=postgres", within=orders)
    assert done.returncode == 1  # the old version does not know it either
    assert "database" in done.stderr
    edit_answers(orders, "database: mongo", "database: none")
    done = svcgen("update", "-d", "database=postgres", within=orders)
    assert done.returncode == 0, done.stderr
    assert "database: postgres" in text(orders, ".copier-answers.yml")


@pytest.mark.parametrize(
    "setting",
    [
        "_tasks: [echo by a task > made.txt]",
        "_migrations: [{version: v1.1.0, command: touch made.txt, when: true}]",
    ],
)
def test_a_templates_own_programs_run_only_when_somebody_says_so(
    setting: str, tmp_path: Path
) -> None:
    template = publish(tmp_path / "template", "v1.0.0", FIRST)
    publish(template, "v1.1.0", {**SECOND, "copier.yml": f"{setting}\n{COPIER_YML}"})
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    refused = svcgen("update", within=orders)
    assert refused.returncode == 1
    assert "--trust" in refused.stderr
    assert git("status", "--porcelain", within=orders) == ""
    done = svcgen("update", "--trust", within=orders)
    assert done.returncode == 0, done.stderr
    assert (orders / "made.txt").exists()


@pytest.mark.parametrize("other", ["go", "typescript", "java"])
def test_a_stack_changed_by_hand_is_refused(other: str, tmp_path: Path) -> None:
    made = svcgen("new", "orders", "--ref", "v1.0.0", "--yes", within=tmp_path)
    assert made.returncode == 0, made.stderr
    orders = in_git(tmp_path / "orders")
    edit_answers(orders, "stack: python", f"stack: {other}")
    done = svcgen("update", within=orders)
    assert done.returncode == 1, done.stdout
    assert "changed by hand" in done.stderr
    assert git("status", "--porcelain", within=orders) == ""


@pytest.fixture
def killed(orders: Path) -> Path:
    """Return a service whose update was killed between `git add` and `git commit`."""
    hook = orders / ".git/hooks/pre-commit"
    hook.write_text('#!/bin/sh\nkill -9 "$(ps -o ppid= -p $PPID | tr -d " ")" $PPID\nexit 1\n')
    hook.chmod(0o755)
    assert svcgen("update", "--commit", within=orders).returncode == -9
    assert git("diff", "--cached", "--name-only", within=orders) != ""
    hook.unlink()
    for lock in (orders / ".git").glob("*.lock"):
        lock.unlink()  # git was killed as well
    return orders


@pytest.mark.parametrize("how", ["--commit", "--abort"])
def test_a_run_killed_between_staging_and_committing_is_undone(killed: Path, how: str) -> None:
    done = svcgen("update", how, within=killed)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=killed) == ""


def test_what_was_edited_since_a_run_was_killed_is_kept(killed: Path) -> None:
    write(killed, {"Dockerfile": "CMD mine\n"})
    done = svcgen("update", within=killed)
    assert done.returncode == 1
    assert "Dockerfile was edited since" in done.stderr
    assert "--abort" in done.stderr
    assert text(killed, "Dockerfile") == "CMD mine\n"


def test_two_updates_of_one_service_do_not_meet(orders: Path) -> None:
    with service_lock(orders):
        done = svcgen("update", within=orders)
    assert done.returncode == 1
    assert "Another update of orders is running" in done.stderr
    assert git("status", "--porcelain", within=orders) == ""


def test_what_cannot_be_written_to_its_end_is_put_back(
    orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,), _ended = plan_updates(select(orders, [], everything=False), UpdateOptions())
    written: list[str] = []

    def full_disk(folder: Path, path: str, file: File) -> None:
        written.append(path)
        if len(written) == 3:
            raise SvcgenError("No space left on device.")
        write_file(folder, path, file)

    monkeypatch.setattr(apply, "write_file", full_disk)
    outcome = update_service(job)
    assert (outcome.state, "No space left" in outcome.problem) == ("failed", True)
    assert git("status", "--porcelain", within=orders) == ""


def test_a_folder_that_its_repository_ignores_is_one_without_git(
    made: Make, tmp_path: Path
) -> None:
    orders = made()
    write(tmp_path, {".gitignore": "orders\n"})
    in_git(tmp_path)
    done = svcgen("update", within=orders)
    assert done.returncode == 1
    assert "in no git repository" in done.stderr


def test_a_patch_and_an_update_do_the_same_to_what_is_no_text(tmp_path: Path) -> None:
    logo, own = b"\0logo\n" * 9, b"\0own\n" * 9
    settings = f"_preserve_symlinks: true\n{COPIER_YML}"
    binary: Files = {"copier.yml": settings, "template/logo.png": logo, "template/icon.png": logo}
    template = publish(tmp_path / "template", "v1.0.0", {**FIRST, **binary})
    (template / "template/Makefile").chmod(0o755)
    (template / "template/current").symlink_to("src")
    newer: Files = {
        "template/logo.png": logo * 2,
        "template/icon.png": logo * 2,
        "template/Dockerfile": None,
    }
    publish(template, "v1.1.0", newer)
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    patch = svcgen("update", "--dry-run", within=orders).stdout
    subprocess.run(["git", "apply", "-"], cwd=orders, input=patch, text=True, check=True)
    commit(orders)
    by_patch = git("rev-parse", "HEAD^{tree}", within=orders)
    git("reset", "--quiet", "--hard", "HEAD~1", within=orders)
    assert svcgen("update", "--commit", within=orders).returncode == 0
    assert git("rev-parse", "HEAD^{tree}", within=orders) == by_patch
    assert (orders / "logo.png").read_bytes() == logo * 2
    assert os.access(orders / "Makefile", os.X_OK)
    assert (orders / "current").readlink() == Path("src")
    assert not (orders / "Dockerfile").exists()
    # One that both have changed waits beside the user's, until that is looked at.
    git("reset", "--quiet", "--hard", "HEAD~1", within=orders)
    write(orders, {"icon.png": own})
    commit(orders)
    assert svcgen("update", within=orders).returncode == 3
    assert (orders / "icon.png").read_bytes() == own
    assert (orders / "icon.png.svcgen-v1.1.0").read_bytes() == logo * 2
    early = svcgen("update", "--continue", within=orders)
    assert (early.returncode, "icon.png.svcgen-v1.1.0" in early.stderr) == (1, True)
    (orders / "icon.png.svcgen-v1.1.0").unlink()
    assert svcgen("update", "--continue", within=orders).returncode == 0


def test_what_the_user_deleted_stays_deleted_and_is_reported(orders: Path) -> None:
    (orders / "Dockerfile").unlink()
    commit(orders)
    done = svcgen("update", within=orders)
    assert done.returncode == 0, done.stderr
    assert not (orders / "Dockerfile").exists()
    assert "you deleted what the template changed; it stays deleted: Dockerfile" in done.stderr
