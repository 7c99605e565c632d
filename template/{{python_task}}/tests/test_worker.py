"""The task: it works every INTERVAL_SECONDS, and ends with the service."""

import json
import re
import signal
import tempfile
import time
from pathlib import Path

from running import Service, started


def test_it_works_until_the_service_stops(environment: dict[str, str]) -> None:
    variables = {**environment, "INTERVAL_SECONDS": "1", "DRAIN_SECONDS": "0"}
    with tempfile.NamedTemporaryFile() as log, started(variables, log) as service:
        for _ in range(200):
            if runs(service) >= 2:
                break
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(30) == 0
        lines = [json.loads(line) for line in Path(log.name).read_text().splitlines()]
    assert [line["done"] for line in lines if line["msg"] == "run"][:2] == [0, 0]


def runs(service: Service) -> float:
    found = re.search(r"^worker_runs_total (\S+)", service.http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0
