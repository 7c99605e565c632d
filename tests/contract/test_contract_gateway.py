"""The contract behind the gateway: what a client sees through it is what the service answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from svcgen.contract.context import set_up
from svcgen.contract.suite import CHECKS, run_checks
from svcgen.contract.targets.process import ProcessTarget
from svcgen.contract.targets.url import UrlTarget
from svcgen.gateway_settings import GatewaySettings
from svcgen.service import read_service
from tests.contract.reference.on_disk import write_reference
from tests.support.envoy_process import Gateway, registration, until

# These read paths for operators, which the gateway does not pass on.
OF_OPERATORS = {"livez", "multipart", "options", "method-unknown", "openapi", "openapi-problems"}
OF_OPERATORS |= {"metrics", "metrics-labels", "metrics-buckets", "metrics-bounded"}
AT_THE_EDGE = {"headers-large"}  # the gateway takes less than a service
LEFT_OUT = OF_OPERATORS | AT_THE_EDGE


@pytest.mark.needs("local")
def test_a_service_keeps_the_contract_behind_the_gateway(
    tmp_path: Path, fake_database: str
) -> None:
    folder = write_reference(tmp_path / "things")
    checks = [each for each in CHECKS if not each.needs and each.name not in LEFT_OUT]
    gateway = Gateway()
    gateway.settings = GatewaySettings()
    try:
        with set_up(ProcessTarget(folder), fake_database, 20) as context:
            name = context.service.name
            gateway.use(
                {name: [context.address.port]}, [registration(name, all={"path": f"/v1/{name}"})]
            )
            until(lambda: gateway.healthy(name))
            target = UrlTarget(f"http://127.0.0.1:{gateway.port}", read_service(folder))
            findings = run_checks(target, checks=checks)
    finally:
        gateway.end()
    assert {one.check.name: one.detail for one in findings if not one.ok} == {}
    assert {one.check.name for one in findings} >= {"client-slow", "clients-many", "body-too-large"}
