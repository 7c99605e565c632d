"""`svcgen key`: a key is printed once, only its hash is stored, and names are unambiguous."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from svcgen.gateway.keys import hash_of
from tests.support.run import svcgen, svcgen_process
from tests.support.workspaces import edit, make

STORED = Path(".svcgen/keys.json")
USERS = Path(".svcgen/gateway/access/keys.json")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a workspace with a route for partners and one for those of the tier gold."""
    registration = make(tmp_path, "orders") / "chart/registration.yaml"
    gold = {"path": "/v1/gold", "auth": {"key": "partners", "tier": "gold"}}
    any_key = {"path": "/v1/orders", "auth": {"key": "partners"}}
    edit(registration, lambda written: written.update(routes={"gold": gold, "orders": any_key}))
    return tmp_path


def users(shop: Path) -> list[str]:
    """Return the entries of the file that Envoy reads, without the one that it needs."""
    (resource,) = json.loads((shop / USERS).read_text())["resources"]
    text: str = resource["typed_config"]["users"]["inline_string"]
    return text.splitlines()[1:]


def test_a_key_is_printed_once_and_only_its_hash_is_stored(shop: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=shop, check=True)
    added = svcgen("key", "add", "partners", "acme", "--tier", "gold", within=shop)
    key = added.stdout.strip()
    assert (added.returncode, re.fullmatch("[0-9a-f]{64}", key) is not None) == (0, True)
    assert "curl -u partners.gold.acme:KEY http://127.0.0.1:8000/v1/orders" in added.stderr
    assert key not in added.stderr
    assert users(shop) == [f"partners.gold.acme:{hash_of(key)}"]
    for file in shop.rglob("*"):
        assert not file.is_file() or key not in file.read_text(errors="replace")
    assert stat.S_IMODE((shop / STORED).stat().st_mode) == 0o600
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=shop,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".svcgen" not in changed.stdout
    listed = svcgen("key", "list", within=shop)
    assert listed.stdout.split()[:9] == [
        *("GROUP", "NAME", "TIER", "USER", "ADDED"),
        *("partners", "acme", "gold", "partners.gold.acme"),
    ]
    assert key not in listed.stdout
    assert hash_of(key) not in listed.stdout


def test_a_revoked_key_is_in_no_file(shop: Path) -> None:
    for name in ("acme", "acme-2"):
        svcgen("key", "add", "partners", name, within=shop)
    revoked = svcgen("key", "revoke", "partners", "acme", within=shop)
    assert (revoked.returncode, revoked.stdout) == (0, "Revoked partners.acme.\n")
    assert [entry.partition(":")[0] for entry in users(shop)] == ["partners.acme-2"]
    printed = json.loads(svcgen("key", "list", "partners", "--json", within=shop).stdout)
    assert [key["name"] for key in printed["keys"]] == ["acme-2"]


def test_the_document_has_the_key(shop: Path) -> None:
    done = svcgen("key", "add", "partners", "acme", "--json", within=shop)
    printed = json.loads(done.stdout)
    assert users(shop) == [f"partners.acme:{hash_of(printed['secret'])}"]
    assert printed["url"] == "http://127.0.0.1:8000/v1/orders"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("add", "partners", "acme"),
            'The group "partners" already has a key "acme".\n'
            "Choose another name: svcgen key add partners acme-2\n"
            "Or revoke it first: svcgen key revoke partners acme",
        ),
        (("add", "partners", "acme", "--tier", "gold"), "already has a key"),
        (("revoke", "partners", "acm"), 'has no key "acm".\nDid you mean "acme"?'),
        (("revoke", "partner", "acme"), 'the group "partner".\nDid you mean "partners"?'),
        (("revoke", "zzz", "acme"), "See all keys: svcgen key list"),
        (("add", "partners", "a:b"), '"a:b" cannot be the name of a key'),
        (("add", "partners", "gold.acme"), '"gold.acme" cannot be the name of a key'),
        (("add", "partners", "a\nb:{SHA}"), "cannot be the name of a key"),
        (("add", "partners", "acme\n"), "cannot be the name of a key"),
        (("add", "part.ners", "b"), '"part.ners" cannot be the name of a group'),
        (("add", "partners", "b", "--tier", "x.y"), '"x.y" cannot be the name of a tier'),
    ],
)
def test_an_error_says_what_to_type_and_changes_nothing(
    shop: Path, words: tuple[str, ...], message: str
) -> None:
    svcgen("key", "add", "partners", "acme", within=shop)
    before = (shop / STORED).read_text(), (shop / USERS).read_text()
    done = svcgen("key", *words, within=shop)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert ((shop / STORED).read_text(), (shop / USERS).read_text()) == before


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (("other", "bob"), "No route accepts keys of the group other."),
        (("partners", "bob"), "Call: curl -u partners.bob:KEY http://127.0.0.1:8000/v1/orders"),
    ],
)
def test_a_new_key_is_shown_with_a_call_or_without_a_route(
    shop: Path, words: tuple[str, str], note: str
) -> None:
    done = svcgen("key", "add", *words, within=shop)
    assert done.returncode == 0
    assert note in done.stderr


def test_keys_that_are_added_together_are_all_stored(shop: Path) -> None:
    names = [f"p{number}" for number in range(6)]
    with ThreadPoolExecutor(len(names)) as pool:
        done = list(
            pool.map(
                lambda name: svcgen_process("key", "add", "partners", name, within=shop), names
            )
        )
    assert [each.returncode for each in done] == [0] * len(names)
    assert [entry.partition(":")[0] for entry in users(shop)] == [f"partners.{n}" for n in names]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "must be a map"),
        ('{"keys": [{"group": "a", "name": "b.c", "added": "", "hash": "x"}]}', "keys.0.name"),
        ('{"keys": [{"group": "a", "name": "b", "added": "", "hash": "{SHA}x"}]}', "keys.0.hash"),
    ],
)
def test_a_file_that_svcgen_did_not_write_is_refused(shop: Path, text: str, reason: str) -> None:
    svcgen("key", "add", "partners", "acme", within=shop)
    (shop / STORED).write_text(text)
    for words in (("list",), ("add", "partners", "b"), ("revoke", "partners", "acme")):
        done = svcgen("key", *words, within=shop)
        assert done.returncode == 1
        assert f"The keys in {shop / STORED} cannot be read: " in done.stderr
        assert reason in done.stderr
    assert (shop / STORED).read_text() == text
