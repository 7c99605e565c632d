"""Envoy checks the gateway's configuration before a file is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from svcgen.compose.fleet import FaultsError
from svcgen.compose.validate import Validate, refuse_invalid
from svcgen.compose.write import checked_fleet
from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.files import ComposePlacement, edge_files
from svcgen.run.validation import ask_image, ask_program, find_validator
from svcgen.workspace import open_workspace
from tests.support.workspaces import make, stitch

# In place of Envoy: refuses what mentions the service `catalog` with a slow timeout.
FAKE = """\
#!/bin/sh
for file; do :; done
if grep -q '"timeout": "7s"' "$file"; then
  echo 'Clusters[0]: refused' >&2
  exit 1
fi
"""

# In the cluster of a service, and what Envoy says of it: a rule, and a value that cannot be read.
REFUSED = [
    ('"/readyz"', '"/readyz\\nX"', "HealthChecks[0].HttpHealthCheck.Path: value does not match"),
    ('"1s"', '"soon"', ".interval: duration must start with an integer"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name in ("catalog", "orders", "payments"):
        make(tmp_path, name)
    (tmp_path / "svcgen.yaml").touch()
    return tmp_path


def fake_envoy(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "fake-envoy"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("SVCGEN_ENVOY", str(program))


def test_what_envoy_refuses_replaces_nothing(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stitch(shop)
    files = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    fake_envoy(shop.parent, FAKE, monkeypatch)
    settings = "services: {orders: {routes: {orders: {timeout: 7s}}}}\n"
    (shop / "svcgen.yaml").write_text(settings)
    with pytest.raises(FaultsError) as refusal:
        stitch(shop)
    assert [str(fault) for fault in refusal.value.faults] == [
        "orders/chart/registration.yaml and svcgen.yaml: Envoy refuses the gateway's configuration"
        " for orders: Clusters[0]: refused."
    ]
    (shop / "svcgen.yaml").write_text("")
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == files


def test_envoy_is_asked_only_when_something_changed(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stitch(shop)
    fake_envoy(shop.parent, "#!/bin/sh\nexit 1\n", monkeypatch)
    assert stitch(shop).written == ()
    make(shop, "reviews")
    with pytest.raises(SvcgenError, match="Envoy refuses the gateway's configuration"):
        stitch(shop)


def program() -> Validate:
    from svcgen.run.local.envoy_program import find_envoy

    return partial(ask_program, find_envoy())


def image() -> Validate:
    from svcgen.compose.stitch import ENVOY_IMAGE

    return partial(ask_image, ENVOY_IMAGE)


@pytest.mark.parametrize(
    "envoy",
    [
        pytest.param(program, marks=pytest.mark.needs("local")),
        pytest.param(image, marks=pytest.mark.needs("docker")),
    ],
)
def test_the_service_and_the_key_are_named(shop: Path, envoy: Callable[[], Validate]) -> None:
    fleet = checked_fleet(open_workspace(shop))
    files = edge_files(fleet.table, fleet.upstreams, ComposePlacement())
    refuse_invalid(files, fleet, envoy())
    for right, wrong, said in REFUSED:
        clusters = json.loads(files["cds.json"])
        orders = json.dumps(clusters["resources"][1])
        assert right in orders
        clusters["resources"][1] = json.loads(orders.replace(right, wrong))
        with pytest.raises(FaultsError) as refusal:
            refuse_invalid({**files, "cds.json": json.dumps(clusters)}, fleet, envoy())
        (fault,) = refusal.value.faults
        assert fault.files == ("orders/chart/registration.yaml",)
        assert said in fault.problem


def test_spaces_that_protobuf_puts_at_random_change_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "error initializing configuration 'x': Unable to parse JSON as proto (INVALID_ARGUMENT:  "
        "invalid JSON in   envoy.config.bootstrap.v3.Bootstrap @  static_resources.clusters[0]."
        'interval:  message X, near 1:14 (offset  140):   duration must  start): {"a": 1}'
    )
    fake_envoy(shop, f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit 1\n", monkeypatch)
    validate = find_validator()
    assert validate
    assert validate("{}") == "clusters[0].interval: duration must start"


def test_without_an_envoy_the_rules_of_svcgen_remain(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVCGEN_ENVOY", "/nonexistent")
    monkeypatch.setenv("PATH", str(shop))
    assert find_validator() is None
    assert "compose.yaml" in stitch(shop).written
