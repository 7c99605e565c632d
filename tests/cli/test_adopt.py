"""`svcgen adopt`: a service of any language becomes a member, and its files stay as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.run import answered, svcgen
from tests.support.services import tree
from tests.support.templates import in_git, write
from tests.support.terminal import at_terminal
from tests.support.workspaces import make

DOCKERFILE = "FROM scratch\nEXPOSE 9000/tcp\nCOPY . /\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a workspace with a service, and the folder of another program."""
    root = tmp_path / "shop"
    make(root, "catalog")
    write(root, {"legacy/Dockerfile": DOCKERFILE, "legacy/main.rb": "puts 1\n"})
    assert svcgen("compose", within=root).returncode == 0
    return in_git(root)


def test_an_adopted_service_is_a_member(shop: Path) -> None:
    words = ("adopt", "legacy", "--route", "/v2/old", "--health", "/healthz", "--calls", "catalog")
    document = answered(svcgen(*words, "--json", within=shop))
    assert (document["name"], document["faults"], document["kept"]) == ("legacy", [], [])
    assert document["changed"] == [f"{shop}/catalog/chart/callers.yaml"]
    registration = yaml.safe_load((shop / "legacy/chart/registration.yaml").read_text())
    assert registration["upstream"] == {"port": 9000, "health": {"http": "/healthz"}}
    assert registration["routes"]["legacy"]["path"] == "/v2/old"
    compose = yaml.safe_load((shop / "legacy/compose.yaml").read_text())["services"]["legacy"]
    assert compose["environment"] == {
        "PORT": 9000,
        "CATALOG_URL": "${CATALOG_URL:-http://catalog:8080}",
    }
    assert svcgen("compose", within=shop).returncode == 0
    assert svcgen("compose", "--check", within=shop).returncode == 0
    listed = answered(svcgen("list", "--json", within=shop))["services"]
    assert [service["name"] for service in listed] == ["catalog", "legacy"]
    routes = answered(svcgen("routes", "--json", within=shop))["routes"]
    assert {(route["service"], route["path"]) for route in routes} >= {("legacy", "/v2/old")}


def test_commands_about_templates_leave_it_out(shop: Path) -> None:
    assert svcgen("adopt", "legacy", within=shop).returncode == 0
    assert svcgen("new", "orders", "--yes", within=shop).returncode == 0
    (shop / "catalog/.copier-answers.yml").unlink()
    in_git(shop)
    results = answered(svcgen("update", "--all", "--json", within=shop))["services"]
    states = {result["service"]: result["state"] for result in results}
    assert states == {"catalog": "left-out", "legacy": "left-out", "orders": "current"}
    for words in (("drift",), ("list", "--outdated"), ("list", "--graph")):
        assert svcgen(*words, within=shop).returncode == 0, words


@pytest.mark.needs("helm")
def test_its_chart_has_its_port_and_its_health_path(shop: Path) -> None:
    words = ("adopt", "legacy", "--health", "/healthz", "--name", "old-shop")
    assert svcgen(*words, within=shop).returncode == 0
    command = ["helm", "template", "release", str(shop / "legacy/chart")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    documents = [each for each in yaml.safe_load_all(done.stdout) if each]
    (deployment,) = [each for each in documents if each["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": 9000}]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} == {"/healthz"}
    assert deployment["metadata"]["name"] == "old-shop"


def test_files_that_exist_stay_and_are_named(shop: Path) -> None:
    own = {
        "chart/Chart.yaml": "apiVersion: v2\nname: legacy\nversion: 1.0.0\n",
        "compose.yaml": "services: {other: {image: x}}\n",
        "openapi.json": '{"openapi": "3.1.0", "paths": {"/v1/legacy": {"get": {}}}}\n',
        "Makefile": "run:\n\truby main.rb\n\nmigrate:\n",
    }
    write(shop / "legacy", own)
    document = answered(svcgen("adopt", "legacy", "--json", within=shop))
    assert document["written"] == ["chart/registration.yaml"]
    assert document["kept"] == ["chart/Chart.yaml", "compose.yaml", "openapi.json"]
    assert [fault for fault in document["faults"] if 'no service "legacy"' in fault]
    assert document["verify"] == f"svcgen verify {shop}/legacy"
    for path, text in own.items():
        assert (shop / "legacy" / path).read_text() == text
    before = tree(shop)
    again = answered(svcgen("adopt", "legacy", "--json", within=shop))
    assert (again["written"], tree(shop) == before) == ([], True)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("nothing",), "has no Dockerfile"),
        (("catalog",), "has no Dockerfile"),
        (("legacy", "--name", "Legacy"), "not a valid host name"),
        (("legacy", "--name", "catalog"), 'The name "catalog" is used'),
        (("legacy", "--route", "v1"), "The route v1"),
        (("legacy", "--route", "/readyz"), "The route /readyz"),
        (("legacy", "--health", "healthz"), "'healthz' is not a path"),
        (("made",), "was made from a template"),
        (("exposed",), "99999 is not a port"),
    ],
)
def test_what_is_refused_writes_nothing(shop: Path, words: tuple[str, ...], problem: str) -> None:
    write(shop / "made", {"Dockerfile": DOCKERFILE, ".copier-answers.yml": "name: made\n"})
    write(shop / "exposed", {"Dockerfile": "FROM scratch\nEXPOSE 99999\n"})
    before = tree(shop)
    done = svcgen("adopt", *words, within=shop)
    assert done.returncode == 1
    assert problem in done.stderr
    assert tree(shop) == before


def test_at_a_terminal_it_asks_with_defaults(shop: Path) -> None:
    code, shown = at_terminal(
        "adopt", "legacy", within=shop, asked="Name [legacy]", reply="old\r\r/v3/old\r"
    )
    assert code == 0, shown
    registration = yaml.safe_load((shop / "legacy/chart/registration.yaml").read_text())
    assert (registration["service"], registration["upstream"]["port"]) == ("old", 9000)
    assert registration["routes"]["old"]["path"] == "/v3/old"
    assert json.loads((shop / "legacy/openapi.json").read_text())["paths"].keys() == {"/v3/old"}
