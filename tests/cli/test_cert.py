"""`svcgen cert`, and what `gateway.tls` of svcgen.yaml accepts."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from svcgen.certificates import CertificateError, Pair, make_ca, make_certificate, require_pair
from tests.support.run import svcgen
from tests.support.workspaces import make

CA = make_ca("test")
GOOD, OTHER = make_certificate(CA, ["localhost"]), make_certificate(CA, ["localhost"])
TLS = "gateway: {tls: {certificate: tls/cert.pem, key: tls/key.pem}}\n"


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_cert_makes_a_ca_once_and_renews_the_certificate(tmp_path: Path) -> None:
    first = svcgen("cert", "--host", "shop.test", "--json", within=tmp_path)
    made = json.loads(first.stdout)
    assert made["hosts"] == ["localhost", "127.0.0.1", "::1", "shop.test"]
    assert made["new_ca"]
    folder = tmp_path / ".svcgen" / "ca"
    assert modes(tmp_path)[".svcgen"] == modes(folder.parent)["ca"] == 0o700
    assert {name: mode for name, mode in modes(folder).items() if "key" in name} == {
        "ca-key.pem": 0o600,
        "gateway-key.pem": 0o600,
    }
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert svcgen("cert", within=tmp_path).returncode == 0
    after = {path.name: path.read_text() for path in folder.iterdir()}
    changed = {name for name, text in after.items() if before[name] != text}
    assert changed == {"gateway.pem", "gateway-key.pem"}
    require_pair(Pair(after["gateway.pem"], after["gateway-key.pem"]))


def test_cert_says_what_to_type_and_that_works(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    done = svcgen("cert", within=tmp_path)
    assert "curl --cacert .svcgen/ca/ca.pem https://localhost:8000/readyz" in done.stderr
    lines = done.stderr.splitlines()
    start = lines.index("gateway:")
    (tmp_path / "svcgen.yaml").write_text("\n".join(lines[start : start + 2]))
    composed = svcgen("compose", within=tmp_path)
    assert composed.returncode == 0, composed.stderr
    assert "svcgen.yaml" not in svcgen("cert", within=tmp_path).stderr
    assert svcgen("compose", "--check", within=tmp_path).returncode == 0
    committed = [path for path in tmp_path.rglob("*") if ".svcgen" not in path.parts]
    assert not [path for path in committed if path.is_file() and b"PRIVATE" in path.read_bytes()]


@pytest.mark.parametrize("file", ["ca.pem", "ca-key.pem"])
def test_a_damaged_ca_is_named(tmp_path: Path, file: str) -> None:
    assert svcgen("cert", within=tmp_path).returncode == 0
    (tmp_path / ".svcgen" / "ca" / file).write_text("x")
    done = svcgen("cert", within=tmp_path)
    assert done.returncode == 1
    assert f"Error: .svcgen/ca/{file}: the file is not" in done.stderr
    assert "rm -r .svcgen/ca" in done.stderr


@pytest.mark.parametrize("name", ["", "a_b", "-a", "a b", "https://a", "a.", "bücher.de", "*.*.de"])
def test_a_name_that_no_certificate_can_have(tmp_path: Path, name: str) -> None:
    assert svcgen("cert", "--host", name, within=tmp_path).returncode == 2
    assert not (tmp_path / ".svcgen").exists()


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        (GOOD.certificate, OTHER.key, "key.pem: gateway.tls.key: the file does not fit the"),
        (GOOD.certificate, "", "key.pem: gateway.tls.key: the file is not a private key in PEM."),
        (GOOD.certificate, "\udcff", "key.pem: gateway.tls.key: the file is not PEM."),
        (GOOD.key, GOOD.key, "cert.pem: gateway.tls.certificate: the file is not a certificate"),
        (GOOD.certificate, None, "key.pem: gateway.tls.key: there is no such file."),
    ],
)
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, certificate: str, key: str | None, problem: str
) -> None:
    make(tmp_path, "orders")
    (tmp_path / "svcgen.yaml").write_text(TLS)
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "cert.pem").write_text(certificate)
    if key is not None:
        (tmp_path / "tls" / "key.pem").write_text(key, errors="surrogateescape")
    for command in (("compose",), ("compose", "--check"), ("up", "--engine", "local")):
        done = svcgen(*command, within=tmp_path)
        assert done.returncode == (3 if "--check" in command else 1)
        assert f"svcgen.yaml and tls/{problem}" in done.stderr
        assert not (tmp_path / "compose.yaml").exists()
    assert svcgen("ps", within=tmp_path).returncode == 0


def test_a_missing_certificate_of_svcgen_names_the_command(tmp_path: Path) -> None:
    make(tmp_path, "orders")
    files = "certificate: .svcgen/ca/gateway.pem, key: .svcgen/ca/gateway-key.pem"
    (tmp_path / "svcgen.yaml").write_text(f"gateway: {{tls: {{{files}}}}}\n")
    done = svcgen("compose", within=tmp_path)
    assert "gateway-key.pem: gateway.tls.key: there is no such file; `svcgen cert`" in done.stderr
    assert svcgen("cert", within=tmp_path).returncode == 0
    assert svcgen("compose", within=tmp_path).returncode == 0


def test_a_certificate_is_good_only_for_its_time() -> None:
    now = dt.datetime.now(dt.UTC)
    for days, problem in ((400, "expired on 20"), (-2, "is not valid before 20")):
        with pytest.raises(CertificateError, match=problem):
            require_pair(GOOD, now + dt.timedelta(days=days))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{http_port: 8080}", "gateway has http_port, which redirects to HTTPS, but no tls."),
        ("{tls: {certificate: a, key: b}, http_port: 8000}", "has one number for port and"),
        ("{tls: {certificate: a}}", "gateway.tls.key is missing"),
        ("{response_headers: {X-Team: a}}", "must be a header's name in lower case"),
        ("{response_headers: {set-cookie: a}}", "must not contain set-cookie: each response"),
        ('{response_headers: {x-team: "a\\nb"}}', "must be visible ASCII"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: str, problem: str) -> None:
    make(tmp_path, "orders")
    (tmp_path / "svcgen.yaml").write_text(f"gateway: {settings}\n")
    done = svcgen("compose", within=tmp_path)
    assert done.returncode == 1
    assert problem in done.stderr
