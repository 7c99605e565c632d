"""What `--json` prints is a promise: a snapshot of each command, so a rename is a decision.

`SVCGEN_WRITE_SNAPSHOTS=1 pytest tests/cli/test_json_documents.py` writes the snapshots again; then
`make docs` writes docs/reference/json.md, which has them as examples.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.json_reference import COMMANDS, SNAPSHOTS, json_reference, snapshot
from svcgen.cli.documents import as_json
from svcgen.cli.documents import certificates as certificates_documents
from svcgen.cli.documents import fleet as fleet_documents
from svcgen.cli.documents import keys as keys_documents
from svcgen.cli.documents import live as live_documents
from svcgen.cli.documents import services as services_documents
from svcgen.cli.documents import template as template_documents
from svcgen.cli.verify import STATES
from svcgen.commands.cert import CertResult
from svcgen.commands.demo import DemoResponse, DemoResult
from svcgen.commands.doctor import Condition, DoctorResult
from svcgen.commands.down import DownResult
from svcgen.commands.env import EnvResult
from svcgen.commands.key import AddedKey, KeysResult
from svcgen.commands.live import LiveResult, LiveRoute
from svcgen.commands.logs import LogsResult
from svcgen.commands.ps import PsResult
from svcgen.commands.restart import RestartResult
from svcgen.commands.template.release import ReleaseResult
from svcgen.commands.template.upgrade import UpgradeResult
from svcgen.commands.up import UpResult
from svcgen.commands.verify import VerifyResult
from svcgen.contract.check import Check, Finding
from svcgen.gateway.access import JwtWay, KeyWay
from svcgen.gateway.keys import Key, hash_of
from svcgen.gateway.routes import Route
from svcgen.gateway.tokens import Token
from svcgen.gateway.traffic import Traffic
from svcgen.run.engine import LogLine, Replica
from svcgen.template_check.check import CheckResult
from svcgen.template_check.fault import TemplateFault
from tests.support.repository import REPOSITORY
from tests.support.run import svcgen
from tests.support.templates import FIRST, SECOND, publish, write

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

QUESTIONS = """\
hidden: {type: str, when: false, default: x}
name:
  type: str
  help: Name of the service
stack:
  type: str
  help: Language and framework
  choices: {Python with FastAPI: python, Go with net/http: go}
  default: python
"""

ROUTE = Route(
    service="orders",
    name="api",
    path="/v1/orders",
    exact=False,
    methods=("GET", "HEAD"),
    auth=(JwtWay(jwt="dev", scopes=("orders:read",)), KeyWay(key="partners", tier="gold")),
    timeout_ms=15000,
    attempts=2,
    per_try_ms=None,
)
REPLICA = Replica("orders", 1, "ready", 0, "127.0.0.1:41801", 4711)
UP = UpResult("local", "no Docker engine answers", "http://127.0.0.1:8000", (ROUTE,), (REPLICA,))
KEY = Key(
    group="partners",
    name="acme",
    tier="gold",
    added="2026-11-28T12:00:00+00:00",
    hash=hash_of("1" * 64),
)
CHECKED = CheckResult(
    24, 24, 0, (TemplateFault("template/Makefile", "parses", "has no tab", "stack=go"),)
)


VERIFIED = VerifyResult(
    "orders",
    "orders",
    tuple(
        Finding(Check(name, rule, lambda _context: None), ok, detail)
        for name, rule, ok, detail in (
            ("livez", "GET /livez is 200", True, ""),
            ("path-unknown", "an unknown path is 404", False, "the status is 200, not 404"),
            ("image-user", "runs as another user than root", None, "needs an image"),
        )
    ),
)


DIAGNOSED = DoctorResult(
    (
        Condition("git", "ok", "2.39.5"),
        Condition("engine docker", "not needed", "docker is not on PATH", "Install Docker"),
        Condition("port", "missing", "another program listens", "svcgen up --port 8001"),
    )
)


CERTIFIED = CertResult(
    Path("/home/ann/shop"),
    ".svcgen/ca/ca.pem",
    ".svcgen/ca/gateway.pem",
    ".svcgen/ca/gateway-key.pem",
    ("localhost", "127.0.0.1", "::1"),
    dt.datetime(2027, 12, 30, 10, 0, tzinfo=dt.UTC),
    new_ca=True,
    configured=False,
    port=8000,
)


ENV = EnvResult(
    "orders",
    "local",
    {"HOST": "127.0.0.1", "LOG_LEVEL": "debug", "PORT": "8080"},
    {"DATABASE_URL": "it is known when the service runs. Start it: svcgen up"},
)


TOKEN = Token("HEADER.CLAIMS.SIGNATURE", 1795906498, {"sub": "ann", "scope": "orders:read"})
LIVE = LiveResult(
    "local",
    UP.url,
    2.0,
    (LiveRoute("orders", "api", Traffic(50, 1, 6, 2, 3, 4, 31), healthy=2, replicas=3),),
    Traffic(1, client_errors=1, p50_ms=0, p99_ms=0),
)


def logged(text: str) -> LogsResult:
    return LogsResult(iter([LogLine("orders", 1, text)]))


BUILT: dict[str, Callable[[], DataclassInstance]] = {
    "up": lambda: fleet_documents.up_document(UP),
    "down": lambda: fleet_documents.down_document(DownResult("local", (REPLICA,))),
    "ps": lambda: fleet_documents.ps_document(PsResult("local", UP.url, (REPLICA,))),
    "logs": lambda: fleet_documents.logs_document(logged("listening on :8080")),
    "routes --live": lambda: live_documents.live_document(LIVE),
    "restart": lambda: fleet_documents.restart_document(RestartResult("local", (REPLICA,))),
    "env": lambda: fleet_documents.env_document(ENV),
    "token": lambda: fleet_documents.token_document(TOKEN),
    "cert": lambda: certificates_documents.cert_document(CERTIFIED),
    "demo": lambda: services_documents.demo_document(
        DemoResult(
            Path("/tmp/svcgen-demo"), UP, (DemoResponse("GET", "/v1/orders", 200, {"items": []}),)
        )
    ),
    "verify": lambda: services_documents.verify_document(VERIFIED, STATES),
    "doctor": lambda: services_documents.doctor_document(DIAGNOSED),
    "key add": lambda: keys_documents.added_document(
        AddedKey(KEY, "1" * 64, "http://127.0.0.1:8000/v1/orders")
    ),
    "key list": lambda: keys_documents.keys_document(KeysResult((KEY,))),
    "key revoke": lambda: keys_documents.revoked_document(KEY),
    "template check": lambda: template_documents.check_document(CHECKED),
    "template release": lambda: template_documents.release_document(
        ReleaseResult("v1.2.0", CHECKED)
    ),
    "template upgrade": lambda: template_documents.upgrade_document(
        UpgradeResult("v1.2.0", "main", ("template/Makefile",))
    ),
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Keep fetched templates out of the user's cache."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "template"
    publish(folder, "v1.0.0", FIRST)
    return publish(folder, "v1.1.0", SECOND)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, cache: str) -> Path:
    """Return a workspace with two services of svcgen's own template, one of which calls."""
    folder = tmp_path_factory.mktemp("fleet")
    for words in (("stock",), ("orders", "--calls", "stock")):
        assert svcgen("new", *words, within=folder, SVCGEN_CACHE_DIR=cache).returncode == 0
    return folder


@pytest.fixture
def shop(tmp_path: Path, template: Path, cache: str) -> Path:
    """Return a workspace with a service of a company's template that has a newer version."""
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0")
    done = svcgen(*words, within=tmp_path, SVCGEN_CACHE_DIR=cache)
    assert done.returncode == 0, done.stderr
    return tmp_path


def compare(command: str, printed: str, **volatile: object) -> None:
    """Compare a document with its snapshot: paths become words in capitals, sentences `…`."""
    for name, value in volatile.items():
        printed = printed.replace(str(value), name.upper())
    printed = re.sub(r'"(why|reason|problem|advice)": ".+"', r'"\1": "…"', printed)
    assert next(iter(json.loads(printed))) == "version"
    assert json.loads(printed)["version"] == 1
    if "SVCGEN_WRITE_SNAPSHOTS" in os.environ:
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot(command).write_text(printed, encoding="utf-8")
    assert json.loads(printed) == json.loads(snapshot(command).read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", BUILT)
def test_a_document_that_needs_a_fleet_or_a_long_check(command: str) -> None:
    compare(command, f"{as_json(BUILT[command]())}\n")


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--graph"),
        ("compose",),
        ("routes",),
        ("routes", "PATH"),
    ],
    ids=" ".join,
)
def test_a_document_about_a_fleet(words: tuple[str, ...], fleet: Path, cache: str) -> None:
    typed = [word.replace("PATH", "/v1/orders/7") for word in words]
    done = svcgen(*typed, "--json", within=fleet, SVCGEN_CACHE_DIR=cache)
    assert done.returncode == 0, done.stderr
    printed = re.sub(r'"template_version": ".*"', '"template_version": "VERSION"', done.stdout)
    compare(" ".join(words), printed, workspace=fleet)


@pytest.mark.parametrize(
    ("command", "words", "code"),
    [
        ("new", ("new", "stock", "--template", "TEMPLATE", "--ref", "v1.0.0"), 0),
        ("list --outdated", ("list", "--outdated"), 3),
        ("update", ("update", "orders", "--force"), 3),
        ("reconfigure", ("reconfigure", "orders", "-d", "database=postgres", "--force"), 0),
        ("adopt", ("adopt", "legacy"), 0),
        ("rename", ("rename", "orders", "sales", "--force"), 0),
        ("remove", ("remove", "orders", "--force"), 0),
        ("drift", ("drift", "--diff"), 3),
        ("template versions", ("template", "versions", "--template", "TEMPLATE"), 0),
        ("template init", ("template", "init", "acme", "--ref", "v1.0.0"), 0),
    ],
)
def test_a_document_about_a_template(
    command: str, words: tuple[str, ...], code: int, shop: Path, template: Path, cache: str
) -> None:
    write(shop / "orders", {"Dockerfile": "FROM scratch\n\nUSER 65532\n\nCOPY . /\n\nCMD mine\n"})
    write(shop / "legacy", {"Dockerfile": "FROM scratch\n"})
    typed = [str(template) if word == "TEMPLATE" else word for word in words]
    done = svcgen(*typed, "--json", within=shop, SVCGEN_CACHE_DIR=cache)
    assert done.returncode == code, done.stderr
    compare(command, done.stdout, workspace=shop, template=template)


def test_the_document_of_questions(tmp_path: Path, cache: str) -> None:
    template = tmp_path / "template"
    publish(template, "v1.0.0", {"copier.yml": QUESTIONS, "template/a": ""})
    words = ("questions", "--template", template, "--json")
    done = svcgen(*words, within=tmp_path, SVCGEN_CACHE_DIR=cache)
    compare("questions", done.stdout, template=template)


def test_each_command_with_json_has_a_section_and_a_snapshot() -> None:
    help_page = (REPOSITORY / "docs" / "cli.md").read_text()
    sections = re.split(r"^#+ `svcgen ?(.*)`$", help_page, flags=re.MULTILINE)[1:]
    with_json = {
        name for name, text in zip(sections[::2], sections[1::2], strict=True) if "--json" in text
    }
    assert with_json == {re.sub(" (--.*|PATH)", "", command) for command in COMMANDS}
    assert {snapshot(command) for command in COMMANDS} == set(SNAPSHOTS.iterdir())


def test_the_reference_is_generated_from_the_documents() -> None:
    """`make docs` writes the page."""
    page = REPOSITORY / "docs" / "reference" / "json.md"
    assert page.read_text(encoding="utf-8") == json_reference()


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    document: Any = fleet_documents.logs_document(logged("caf\udce9"))
    assert json.loads(as_json(document).encode())["lines"][0]["text"] == "caf\ufffd"


def test_the_scripts_print_both_references() -> None:
    for script, page in (("cli", "cli.md"), ("json", "reference/json.md")):
        command = [sys.executable, str(REPOSITORY / "scripts" / f"{script}_reference.py")]
        printed = subprocess.check_output(command, text=True)
        assert printed == (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
