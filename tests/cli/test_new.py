"""`svcgen new`: a whole service, or a clear refusal and nothing written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from svcgen.render.render import render_version
from svcgen.templates.sources import open_source
from tests.support.repository import REPOSITORY
from tests.support.run import svcgen

SVCGEN = str(Path(sys.executable).with_name("svcgen"))


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def answers(folder: Path) -> dict[str, object]:
    read: dict[str, object] = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    return read


def test_it_writes_a_service_and_says_what_to_type_next(tmp_path: Path) -> None:
    done = svcgen("new", "orders", within=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("orders/\n├── ")
    assert done.stdout.rstrip().endswith("Next: svcgen up")
    assert {"Dockerfile", "compose.yaml", "chart/registration.yaml"} <= below(tmp_path / "orders")
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_json_is_one_document_with_all_files(tmp_path: Path) -> None:
    done = svcgen("new", "orders", "--database", "postgres", "--json", within=tmp_path)
    made = json.loads(done.stdout)
    files = {str(p.relative_to(tmp_path / "orders")) for p in tmp_path.rglob("*") if p.is_file()}
    assert set(made["files"]) == files
    assert made["folder"] == str(tmp_path / "orders")


def test_answers_come_from_options_pairs_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("owner: shop\ndescription: from the file\n")
    options = ["--calls", "catalog", "--calls", "stock", "-d", "description=from the pair"]
    done = svcgen("new", "orders", *options, "--data-file", "answers.yml", within=tmp_path)
    assert done.returncode == 0, done.stderr
    said = answers(tmp_path / "orders")
    assert said["calls"] == ["catalog", "stock"]
    assert (said["owner"], said["description"]) == ("shop", "from the pair")


def test_a_company_sets_defaults_in_svcgen_yaml(tmp_path: Path) -> None:
    (tmp_path / "svcgen.yaml").write_text("defaults: {owner: shop, registry: reg.acme.com/x}\n")
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    said = answers(tmp_path / "orders")
    assert (said["owner"], said["registry"]) == ("shop", "reg.acme.com/x")


CALLS = "For example: -d 'calls=[catalog, order-items]'"


@pytest.mark.parametrize(
    ("arguments", "problem", "advice"),
    [
        (["Orders"], "`name`", "for example order-items"),
        (["gateway"], "`name`", "for example gateway-api"),
        (["orders", "-d", "databse=postgres"], "no question `databse`", 'Did you mean "database"?'),
        (["orders", "-d", "python=."], "no question `python`", "There are: name"),
        (["orders", "-d", "owner"], "'owner' is not QUESTION=ANSWER", "-d database=postgres"),
        (["orders", "--database", "oracle"], "`database`", "Choose none or postgres."),
        (["orders", "--stack", "cobol"], "`stack`", "Choose python, go, typescript or java."),
        (["orders", "--data-file", "none.yml"], "no file none.yml", ""),
        (["orders", "taken"], "taken already exists", "svcgen new orders OTHER-FOLDER"),
        (["orders", "/"], "/ already exists", "svcgen new orders OTHER-FOLDER"),
        (["used", "sub/used"], 'The name "used" is used by', "choose another one"),
        (["inner", "elsewhere/inner"], "is inside the service", "svcgen new inner /"),
        (["orders", "-d", "=x"], "'=x' names no question", "-d database=postgres"),
        (["orders", "-d", "stack="], "`stack` from -d", "Choose python"),
        (["orders", "-d", "calls=[b"], "`calls` from -d cannot be used: '[b' is not YAML", CALLS),
        (["orders", "--data-file", "map.yml"], "`owner` from map.yml", "example: owner: platform-"),
        (["é"], '"é" is not a valid host name', "order-items"),
        (["a\x1b"], '"a\\u001b" is not a valid', "order-items"),
        (["used"], 'The name "used" is used by', "choose another one"),
        (["orders", "--template", "nowhere"], "nowhere", ""),
    ],
)
def test_it_refuses_and_writes_nothing(
    tmp_path: Path, arguments: Sequence[str], problem: str, advice: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    (tmp_path / "map.yml").write_text("owner: {a: b}")
    assert svcgen("new", "used", "elsewhere", within=tmp_path).returncode == 0
    before = below(tmp_path)
    done = svcgen("new", *arguments, within=tmp_path)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert problem in done.stderr
    assert advice in done.stderr
    assert below(tmp_path) == before


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert svcgen("new", within=tmp_path).returncode == 2
    assert svcgen("new", "orders", "--colour", "red", within=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-d", "name=other"], ["NAME is orders", "`name` from -d is other"]),
        (["--data-file", "a.yml"], ["NAME is orders", "`name` from a.yml is stock"]),
        (["--stack", "go", "-d", "stack=java"], ["--stack go and -d stack=java"]),
        (["--database", "postgres", "-d", "database=none"], ["--database postgres", "=none"]),
        (["--calls", "a", "--calls", "b", "-d", "calls=[a]"], ["--calls a --calls b", "=[a]"]),
    ],
)
def test_answers_that_contradict_each_other_are_wrong_usage(
    tmp_path: Path, words: list[str], said: list[str]
) -> None:
    (tmp_path / "a.yml").write_text("name: stock")
    done = svcgen("new", "orders", *words, within=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(part in done.stderr for part in said), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.yml"]


def test_the_same_answer_twice_is_no_contradiction(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("database: none")
    words = ("--database", "postgres", "-d", "database=postgres", "--data-file", "a.yml")
    assert svcgen("new", "orders", *words, within=tmp_path).returncode == 0
    assert answers(tmp_path / "orders")["database"] == "postgres"


def test_a_default_never_replaces_what_the_template_computes(tmp_path: Path) -> None:
    (tmp_path / "svcgen.yaml").write_text("defaults: {reserved: [orders]}")
    assert svcgen("new", "orders", within=tmp_path).returncode == 0


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    assert (tmp_path / "orders" / "Makefile").is_file()


@pytest.mark.parametrize("after", [0.05, 0.2, 0.35, 0.5, 0.65])
def test_killed_it_leaves_all_or_nothing(tmp_path: Path, after: float) -> None:
    made = tmp_path / "made"
    svcgen("new", "orders", "made", within=tmp_path)
    whole = below(made)
    shutil.rmtree(made)
    process = subprocess.Popen([SVCGEN, "new", "orders"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    orders = tmp_path / "orders"
    assert not orders.exists() or below(orders) == whole
    assert svcgen("new", "stock", within=tmp_path).returncode == 0
    assert not list(tmp_path.glob(".svcgen-new-*"))


def repository(folder: Path) -> tuple[str, str]:
    """A clean clone of what is committed, and its template's version, with a tag if released."""
    subprocess.run(["git", "clone", "-q", REPOSITORY, folder], check=True)
    version = open_source().obtain().name
    if version in open_source().versions():
        subprocess.run(["git", "-C", str(folder), "tag", "--force", version], check=True)
    return str(folder), version


@pytest.mark.parametrize("version", ["4050499", "0123456", "1e10000", "v1.2.0", "v1.2.0-3-g12ab"])
def test_the_recorded_version_stays_a_string(version: str, tmp_path: Path) -> None:
    """One abbreviated commit in thirty is all digits."""
    named = replace(open_source().obtain(), name=version)
    made = render_version(named, tmp_path / "orders", {"name": "orders"})
    assert answers(made)["_commit"] == version


def test_plain_copier_can_update_what_it_made(tmp_path: Path) -> None:
    """`_src_path` and `_commit` are Copier's own; git is told where the public source stands."""
    source, version = repository(tmp_path / "svcgen")
    done = svcgen("new", "orders", within=tmp_path)
    assert done.returncode == 0
    orders = tmp_path / "orders"
    assert answers(orders)["_commit"] == version
    git = ["git", "-C", str(orders), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "new"]):
        subprocess.run([*git, *command], check=True)
    public = str(answers(orders)["_src_path"])
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source}.insteadOf",
        "GIT_CONFIG_VALUE_0": public,
    }
    update = [str(Path(SVCGEN).with_name("copier")), "update", "--defaults", "--vcs-ref", "HEAD"]
    environment = {**os.environ, **instead, "COPIER_CACHE_DIR": str(tmp_path / "cache")}
    updated = subprocess.run(update, cwd=orders, env=environment, capture_output=True, text=True)
    assert updated.returncode == 0, updated.stderr
    status = subprocess.check_output([*git, "status", "--porcelain"], text=True)
    assert status == ""


def test_list_shows_what_is_there(tmp_path: Path) -> None:
    svcgen("new", "orders", "--database", "postgres", within=tmp_path)
    svcgen("new", "catalog", "shop/catalog", "--calls", "orders", within=tmp_path)
    rows = [line.split() for line in svcgen("list", within=tmp_path).stdout.splitlines()]
    assert rows[0] == ["NAME", "STACK", "KIND", "DATABASE", "TEMPLATE", "FOLDER"]
    assert [(row[0], row[3], row[5]) for row in rows[1:]] == [
        ("catalog", "none", "shop/catalog"),
        ("orders", "postgres", "orders"),
    ]
    assert len(json.loads(svcgen("list", "--json", within=tmp_path).stdout)["services"]) == 2
    assert "catalog --> orders" in svcgen("list", "--graph", within=tmp_path).stdout


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("a/b/c/orders", "svcgen searches 3 levels"),
        ("build/orders", "svcgen skips build/"),
        (".hidden/orders", "svcgen skips .hidden/"),
    ],
)
def test_a_folder_where_svcgen_would_not_find_it_is_refused(
    tmp_path: Path, folder: str, said: str
) -> None:
    (tmp_path / "svcgen.yaml").touch()
    done = svcgen("new", "orders", folder, within=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["svcgen.yaml"]


def test_a_folder_that_svcgen_yaml_does_not_list_is_refused(tmp_path: Path) -> None:
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    (tmp_path / "svcgen.yaml").write_text("folders:\n- orders\n")
    done = svcgen("new", "stock", within=tmp_path)
    assert done.returncode == 1
    assert "Add it to `folders` first, as: - stock" in done.stderr
    (tmp_path / "svcgen.yaml").write_text("folders:\n- orders\n- a/b/c/stock\n")
    done = svcgen("new", "stock", "a/b/c/stock", within=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = json.loads(svcgen("list", "--json", within=tmp_path).stdout)["services"]
    assert [service["name"] for service in listed] == ["orders", "stock"]
