"""Versions of our own template: which there are, and services made from each without a network."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from svcgen.errors import SvcgenError
from svcgen.render.render import render_version, seeded_patterns
from svcgen.templates.base import Version
from svcgen.templates.changelog import entries
from svcgen.templates.checkout import checkout_version, commit_folder
from svcgen.templates.releases import releases
from svcgen.templates.sources import open_source
from svcgen.templates.versions import SOURCE, commit_of, compare, newest, ordered
from tests.support.releases import change, checkout, release
from tests.support.repository import STACKS
from tests.support.run import answered, copier, svcgen
from tests.support.services import tree
from tests.support.templates import git, in_git

NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "none"}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with two releases, of which the second has one line more."""
    folder = checkout(tmp_path_factory.mktemp("source") / "svcgen")
    release(folder, "v1.0.0")
    change(folder, "one more line")
    release(folder, "v1.1.0")
    return folder


@pytest.fixture
def carried(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The releases that svcgen carries in a test, and an empty cache."""
    bundle = source.with_suffix(".bundle")
    monkeypatch.setenv("SVCGEN_RELEASES", str(bundle))
    monkeypatch.setenv("SVCGEN_CACHE_DIR", str(tmp_path / "cache"))
    return bundle


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("v1.0.0", "v1.0.1"),
        ("v1.9.0", "v1.10.0"),
        ("v1.10.0", "v2.0.0"),
        ("v1.0.0rc1", "v1.0.0"),
        ("v1.0.0", "v1.0.0-1-gabcdef0"),
        ("v1.0.0-2-gabcdef0", "v1.0.0-10-g1234567"),
        ("v1.0.0-10-g1234567", "v1.0.1"),
        ("1.0", "v1.1"),
    ],
)
def test_versions_have_an_order(older: str, newer: str) -> None:
    assert (compare(older, newer), compare(newer, older), compare(older, older)) == (-1, 1, 0)


@pytest.mark.parametrize("version", ["", "4050499", "99f8d3f", "main", "x-1-gabcdef0"])
def test_what_has_no_place_in_the_order_is_refused(version: str) -> None:
    with pytest.raises(SvcgenError, match="cannot be ordered"):
        compare(version, "v1.0.0")


def test_tags_that_are_no_versions_are_left_out() -> None:
    tags = ["v2.0.0rc1", "v1.10.0", "latest", "v1.9.0", "1.2"]
    assert ordered(tags) == ("1.2", "v1.9.0", "v1.10.0", "v2.0.0rc1")
    assert newest(tags) == "v1.10.0"
    assert newest(["latest"]) == ""


def test_new_takes_any_released_version_without_a_network(carried: Path, tmp_path: Path) -> None:
    assert carried.is_file()
    listed = svcgen("template", "versions", "--json", within=tmp_path, **NO_NETWORK)
    assert answered(listed)["template_versions"] == ["v1.0.0", "v1.1.0"]
    for version, lines in (("v1.0.0", 0), ("v1.1.0", 1)):
        made = svcgen(
            "new", f"orders{lines}", version, "--ref", version, within=tmp_path, **NO_NETWORK
        )
        assert made.returncode == 0, made.stderr
        answers = yaml.safe_load((tmp_path / version / ".copier-answers.yml").read_text())
        assert (answers["_commit"], answers["_src_path"]) == (version, SOURCE)
        assert (tmp_path / version / "Makefile").read_text().count("one more line") == lines


@pytest.mark.parametrize(
    ("ref", "problem", "advice"),
    [
        ("v1.2.0", "needs a newer svcgen", "pip install --upgrade svcgen"),
        ("v1.0.1", "no version v1.0.1", 'Did you mean "v1.0.0"? There are: v1.0.0, v1.1.0.'),
        ("1.0.0", "no version 1.0.0", 'Did you mean "v1.0.0"?'),
        ("0123456", "no version 0123456", "There are: v1.0.0, v1.1.0."),
        ("--upload-pack=x", "no version --upload-pack=x", "There are"),
        ("main", "no version main", "There are"),
    ],
)
def test_a_version_that_is_not_there_is_refused(
    carried: Path, ref: str, problem: str, advice: str
) -> None:
    assert carried.is_file()
    with pytest.raises(SvcgenError) as refused:
        open_source().obtain(ref)
    assert problem in refused.value.problem
    assert advice in refused.value.advice


def test_before_the_first_release_there_are_no_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVCGEN_RELEASES", str(tmp_path / "none"))
    assert open_source().versions() == ()
    assert open_source().obtain().name
    listed = svcgen("template", "versions", within=tmp_path)
    assert (listed.returncode, listed.stdout) == (0, "")
    (tmp_path / "none").write_text("no bundle\n")
    with pytest.raises(SvcgenError, match="not a git bundle"):
        open_source().versions()


def test_a_checkout_is_a_release_only_while_it_is_equal_to_it(
    source: Path, carried: Path, tmp_path: Path
) -> None:
    git("clone", "--quiet", source, "clone", within=tmp_path)
    clone = tmp_path / "clone"
    assert checkout_version(clone, carried) == "v1.1.0"
    (clone / "template/README.md.jinja").chmod(0o755)
    head = git("rev-parse", "--short=12", "HEAD", within=clone).strip()
    assert checkout_version(clone, carried).endswith(f"-g{head}")
    (clone / "template/README.md.jinja").chmod(0o644)
    (clone / "template/new").write_text("")
    assert checkout_version(clone, carried).startswith("v1.1.0-")
    (clone / "template/new").unlink()
    change(clone, "after the release")
    named = checkout_version(clone, carried)
    assert compare("v1.1.0", named) < 0 < compare("v1.1.1", named)
    folder = commit_folder(clone, commit_of(named))
    assert folder is not None
    assert "after the release" in (folder / "template/{{python}}/Makefile").read_text()
    assert commit_folder(clone, "0123456") is None


def test_without_git_a_checkout_says_what_to_do(tmp_path: Path, carried: Path) -> None:
    with pytest.raises(SvcgenError, match="is unknown") as refused:
        checkout_version(tmp_path, carried)
    assert "wheel" in refused.value.advice


def obtained(_number: int) -> dict[str, bytes]:
    return tree(open_source().obtain("v1.0.0").folder)


def test_many_processes_take_a_version_out_at_once(carried: Path, tmp_path: Path) -> None:
    assert carried.is_file()
    with ProcessPoolExecutor(4) as pool:
        first, *others = pool.map(obtained, range(8))
    assert first == others[0]
    assert len({len(other) for other in others}) == 1
    [place] = (tmp_path / "cache/templates").iterdir()
    assert not list(place.glob(".svcgen-new-*"))


def test_what_a_killed_process_left_is_never_used(carried: Path, tmp_path: Path) -> None:
    commit = releases(carried)["v1.0.0"]
    whole = open_source().obtain("v1.0.0").folder
    assert whole.name == commit
    (whole / "copier.yml").unlink()
    left = whole.parent / ".svcgen-new-killed"
    left.mkdir()
    assert (open_source().obtain("v1.0.0").folder / "copier.yml").is_file()
    assert not left.exists()
    assert tmp_path in whole.parents


def test_a_cache_that_cannot_be_written_is_named(
    carried: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carried.is_file()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SVCGEN_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(SvcgenError, match="cannot be written") as refused:
        open_source().obtain("v1.0.0")
    assert "SVCGEN_CACHE_DIR" in refused.value.advice


def test_a_changelog_tells_what_lies_between_two_versions(carried: Path) -> None:
    assert carried.is_file()
    newer = open_source().obtain("v1.1.0")
    told = [(entry.version, entry.text) for entry in entries(newer, "v1.0.0")]
    assert told == [("v1.1.0", "- What v1.1.0 brings.")]
    assert [entry.version for entry in entries(newer, "v0.1.0")] == ["v1.0.0", "v1.1.0"]
    assert entries(newer, "v1.1.0") == ()
    assert entries(newer, "99f8d3f") == ()
    later = Version(SOURCE, "v1.1.0-2-gabcdef0", newer.folder)
    assert [entry.version for entry in entries(later, "v1.0.0")] == ["v1.1.0", "Unreleased"]


@pytest.mark.parametrize("stack", STACKS)
def test_compiling_once_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    version = open_source().obtain()
    answers = {"stack": stack, "database": "postgres", "calls": ["catalog"]}
    for _twice in range(2):
        render_version(version, tmp_path / "warm" / str(_twice), {"name": "warm", **answers})
    once = render_version(version, tmp_path / "once/orders", {"name": "orders", **answers})
    monkeypatch.setenv("SVCGEN_JINJA_CACHE", "0")
    anew = render_version(version, tmp_path / "anew/orders", {"name": "orders", **answers})
    assert tree(once) == tree(anew)


@pytest.mark.parametrize(("switch", "anew"), [("0", True), ("1", False)])
def test_a_switch_decides_whether_texts_are_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str, anew: bool
) -> None:
    compile_, compiled = Environment.compile, list[str]()

    def counted(self: Environment, source: Any, *words: Any, **named: Any) -> Any:
        compiled.extend([source] if isinstance(source, str) else [])
        return compile_(self, source, *words, **named)

    monkeypatch.setenv("SVCGEN_JINJA_CACHE", switch)
    monkeypatch.setattr(Environment, "compile", counted)
    version = open_source().obtain()
    render_version(version, tmp_path / "once/orders", {"name": "orders"})
    compiled.clear()
    render_version(version, tmp_path / "twice/orders", {"name": "orders"})
    assert bool(compiled) == anew


def test_seeded_paths_are_those_that_an_update_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    (folder / "copier.yml").write_text(
        "_envops: {block_start_string: '[%', block_end_string: '%]',"
        " variable_start_string: '[[', variable_end_string: ']]'}\n"
        "_templates_suffix: .tmpl\n"
        "_skip_if_exists: ['own-[[ name ]]', always]\n"
        "_exclude:\n- '*.pyc'\n- \"[% if _copier_operation == 'update' -%]\\n/[[ name ]]\\n"
        '/two\\n[%- endif %]"\n- "[% if _copier_operation == \'copy\' %]/later[% endif %]"\n'
        "name: {type: str}\n"
    )
    found = seeded_patterns(Version("x", "", folder), {"name": "orders"})
    assert found == ("/orders", "/two", "own-orders", "always")


@pytest.mark.parametrize(
    "address",
    [
        "",
        SOURCE,
        "https://github.com/svcgen/svcgen",
        "git+https://github.com/svcgen/svcgen.git",
        "gh:svcgen/svcgen",
        "git@github.com:svcgen/svcgen.git",
        "ssh://git@github.com/svcgen/svcgen/",
    ],
)
def test_our_template_has_one_source_however_it_is_written(address: str) -> None:
    assert open_source(address).source == SOURCE


@pytest.mark.usefixtures("carried")
def test_an_update_needs_no_network(tmp_path: Path) -> None:
    new = svcgen("new", "orders", "--ref", "v1.0.0", within=tmp_path, **NO_NETWORK)
    assert new.returncode == 0, new.stderr
    orders = in_git(tmp_path / "orders")
    updated = svcgen("update", "--ref", "v1.1.0", within=orders, **NO_NETWORK)
    assert updated.returncode == 0, updated.stderr
    version = open_source().obtain("v1.1.0")
    ours = render_version(version, tmp_path / "ours/orders", {"name": "orders"})
    assert tree(orders) == tree(ours)


@pytest.fixture
def served(source: Path, tmp_path: Path) -> Iterator[str]:
    """The repository itself with its tags, served by git to this machine alone; its address."""
    (tmp_path / "served").mkdir()
    git("clone", "--quiet", "--bare", source, "svcgen.git", within=tmp_path / "served")
    for version in ("v1.0.0", "v1.1.0"):  # as `make release` says
        git("tag", version, f":/^{version}", within=tmp_path / "served/svcgen.git")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"]
    command += [f"--base-path={tmp_path / 'served'}", f"--port={port}"]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        until_it_answers(port)
        yield f"git://127.0.0.1:{port}/svcgen.git"
    finally:
        os.killpg(daemon.pid, 15)
        daemon.wait()


def until_it_answers(port: int) -> None:
    for _try in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


@pytest.mark.usefixtures("carried")
def test_plain_copier_updates_what_a_release_made(served: str, tmp_path: Path) -> None:
    """`_src_path` and `_commit` are Copier's own; git is told where the public source stands."""
    made = svcgen("new", "orders", "--ref", "v1.0.0", within=tmp_path, **NO_NETWORK)
    assert made.returncode == 0, made.stderr
    orders = in_git(tmp_path / "orders")
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{served}.insteadOf",
        "GIT_CONFIG_VALUE_0": SOURCE,
        "COPIER_CACHE_DIR": str(tmp_path / "copier"),
    }
    look = ("check-update", "--quiet")
    assert copier(*look, within=orders, **instead).returncode == 2  # there is a newer one
    assert copier("update", "--defaults", within=orders, **instead).returncode == 0
    version = open_source().obtain("v1.1.0")
    ours = render_version(version, tmp_path / "ours/orders", {"name": "orders"})
    assert tree(orders) == tree(ours)
    assert copier(*look, within=orders, **instead).returncode == 0


def test_a_render_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet's update renders hundreds of times."""
    version = open_source().obtain()
    monkeypatch.setattr(subprocess, "Popen", None)
    render_version(version, tmp_path / "orders", {"name": "orders"})
    seeded_patterns(version, {"name": "orders"})
