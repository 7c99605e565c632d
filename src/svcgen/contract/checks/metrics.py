"""Metrics: one histogram with OpenTelemetry's words, in Prometheus' format."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from svcgen.contract.check import Check
from svcgen.contract.checks.resource import made
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.http import ask, get

NAME = "http_server_request_duration_seconds"
LABELS = {"http_request_method", "http_route", "http_response_status_code"}
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, float("inf")]
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
UNKNOWN_REQUESTS = 40  # unknown paths and methods that are asked for
OWN_SERIES = 3 * (len(BUCKETS) + 3)  # a few labels' worth of series: no matter how many strangers


@dataclass(frozen=True)
class Series:
    """One line of the text format; an empty label is one that is not there."""

    name: str
    labels: dict[str, str]
    value: float


def scrape(context: CheckContext) -> list[Series]:
    """Get /metrics."""
    answer = get(context.address, "/metrics")
    expect(answer.status == 200, f"/metrics is {answer.status}")
    lines = answer.body.decode().splitlines()
    matches = [SERIES.match(line) for line in lines if not line.startswith("#")]
    return [
        Series(one[1], dict(LABEL.findall(one[2] or "")), float(one[3])) for one in matches if one
    ]


def count(series: list[Series], method: str, route: str, status: int) -> float:
    """Return how many requests were counted under these labels."""
    wanted = (method, route, str(status))
    names = ("http_request_method", "http_route", "http_response_status_code")
    return sum(
        one.value
        for one in series
        if one.name == f"{NAME}_count"
        and tuple(one.labels.get(name, "") for name in names) == wanted
    )


def metrics(context: CheckContext) -> None:
    get(context.address, context.readable)
    answer = get(context.address, "/metrics")
    kind = answer.headers.get("Content-Type", "")
    expect(answer.kind == "text/plain" and "version=" in kind, f"the type is {kind}")
    expect(f"# TYPE {NAME} histogram" in answer.body.decode(), f"there is no histogram {NAME}")


def metrics_labels(context: CheckContext) -> None:
    item = made(context, "labelled").headers.get("Location", "")
    asked: dict[tuple[str, str, int], Callable[[], object]] = {
        ("GET", f"{context.path}/{{id}}", 200): lambda: get(context.address, item),
        ("GET", f"{context.path}/{{id}}", 422): lambda: get(context.address, f"{context.path}/x"),
        ("POST", context.path, 201): lambda: made(context, "counted"),
        ("GET", "", 404): lambda: get(context.address, "/nothing"),
    }
    before = scrape(context)
    for request in asked.values():
        request()
    after = scrape(context)
    added = {labels: count(after, *labels) - count(before, *labels) for labels in asked}
    expect(set(added.values()) == {1}, f"each was asked once; counted: {added}")
    names = {name for one in after if one.name == f"{NAME}_count" for name in one.labels}
    expect(names == LABELS, f"the labels are {sorted(names)}")


def metrics_buckets(context: CheckContext) -> None:
    get(context.address, context.readable)
    mine = [one for one in scrape(context) if one.name == f"{NAME}_bucket"]
    found = sorted({float(one.labels["le"]) for one in mine})
    expect(found == BUCKETS, f"the buckets are {found}")


def metrics_bounded(context: CheckContext) -> None:
    before = len(scrape(context))
    for number in range(UNKNOWN_REQUESTS):
        get(context.address, f"/{uuid.uuid4()}")
        get(context.address, f"{context.readable}/{uuid.uuid4()}")
        ask(context.address, f"UNKNOWN{number}", context.readable)
    series = scrape(context)
    grown = len(series) - before
    expect(grown <= OWN_SERIES, f"{3 * UNKNOWN_REQUESTS} unknown requests made {grown} series")
    methods = {one.labels.get("http_request_method", "") for one in series}
    expect(not any(one.startswith("UNKNOWN") for one in methods), f"methods are {sorted(methods)}")
    expect("_OTHER" in methods, f"unknown methods are not _OTHER, but one of {sorted(methods)}")


CHECKS = (
    Check("metrics", "Prometheus' text format with the histogram", metrics),
    Check("metrics-labels", "method, route and status; each request once", metrics_labels),
    Check("metrics-buckets", "OpenTelemetry's buckets", metrics_buckets),
    Check("metrics-bounded", "unknown paths and methods add no series", metrics_bounded),
)
