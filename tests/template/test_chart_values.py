"""The values that a platform team sets: what each changes, and the schema's own examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.helm import Object, container, faults, only, pod_of, render, template
from tests.support.repository import REPOSITORY, NewService

pytestmark = pytest.mark.needs("helm")

SCHEMA = json.loads((REPOSITORY / "template/chart/values.schema.json").read_text())
ASKED = {  # what `helm create` or podinfo have
    *("podLabels", "podAnnotations", "volumes", "volumeMounts", "envFrom", "extraEnv"),
    *("pod.securityContext", "pod.topologySpreadConstraints", "podDisruptionBudget.maxUnavailable"),
    *("serviceAccount.name", "serviceAccount.annotations", "service.annotations"),
    *("probes.startup", "probes.liveness", "probes.readiness", "gateway.annotations"),
    *("autoscaling.behavior", "autoscaling.memory", "serviceMonitor.labels"),
    *("serviceMonitor.prometheusNamespace", "networkPolicy.callers", "database.migrationSeconds"),
}


def examples(schema: Object, where: tuple[str, ...] = ()) -> Iterator[tuple[str, list[Any]]]:
    """Yield the examples of each value that has some, by its dotted path."""
    if "examples" in schema:
        yield ".".join(where), schema["examples"]
    for name, inner in schema.get("properties", {}).items():
        if isinstance(inner, dict):
            yield from examples(inner, (*where, name))


EXAMPLES = dict(examples(SCHEMA))


def values(**chosen: Any) -> dict[str, Any]:
    """Return values by dotted paths, with `__` for the dot."""
    found: dict[str, Any] = {}
    for path, value in chosen.items():
        *parents, last = path.replace("__", ".").split(".")
        inner = found
        for name in parents:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return found


def test_each_has_an_example() -> None:
    assert set(EXAMPLES) >= ASKED


@pytest.mark.parametrize("which", [0, -1])
def test_the_examples_are_valid(new_service: NewService, which: int) -> None:
    chosen = values(**{path: found[which] for path, found in EXAMPLES.items()})
    objects = render(new_service("orders", database="postgres"), chosen)
    assert [fault for one in objects for fault in faults(one)] == []


def of_server(objects: list[Any]) -> Any:
    return only(objects, "Deployment")["spec"]["template"]


def metadata_of(kind: str) -> Any:
    return lambda objects: only(objects, kind)["metadata"]


ROLE = {"runAsNonRoot": True}
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
UP = {"scaleUp": {"stabilizationWindowSeconds": 30}}
TEXT = {"a.example.com/b": "c"}


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("podLabels", TEXT, lambda made: of_server(made)["metadata"]["labels"]),
        ("podAnnotations", TEXT, lambda made: of_server(made)["metadata"]["annotations"]),
        ("service.annotations", TEXT, lambda made: metadata_of("Service")(made)["annotations"]),
        ("gateway.annotations", TEXT, lambda made: metadata_of("HTTPRoute")(made)["annotations"]),
        (
            "serviceAccount.annotations",
            TEXT,
            lambda made: metadata_of("ServiceAccount")(made)["annotations"],
        ),
        (
            "probes.startup",
            {"failureThreshold": 180},
            lambda made: container(made)["startupProbe"],
        ),
    ],
)
def test_a_map_is_merged_into_what_the_chart_sets(
    new_service: NewService, path: str, value: Object, found: Any
) -> None:
    service = new_service("orders")
    after = found(render(service, values(**{path: value})))
    assert value.items() <= after.items()
    if path.startswith(("podLabels", "probes")):
        before = found(render(service, {}))
        assert after == {**before, **value}


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("pod.securityContext", ROLE, lambda made: pod_of(made[0])["securityContext"]),
        ("envFrom", [{"secretRef": {"name": "x"}}], lambda made: container(made)["envFrom"]),
        (
            "pod.topologySpreadConstraints",
            SPREAD,
            lambda made: of_server(made)["spec"]["topologySpreadConstraints"],
        ),
        (
            "pod.topologySpreadConstraints",
            [],
            lambda made: of_server(made)["spec"]["topologySpreadConstraints"],
        ),
        (
            "podDisruptionBudget.maxUnavailable",
            "100%",
            lambda made: only(made, "PodDisruptionBudget")["spec"]["maxUnavailable"],
        ),
    ],
)
def test_a_value_replaces_the_default(
    new_service: NewService, path: str, value: Any, found: Any
) -> None:
    made = render(new_service("orders"), values(**{path: value}))
    made.sort(key=lambda one: str(one["kind"]))  # the Deployment is the first
    assert found(made) == value


def test_files_are_mounted_where_the_service_and_its_migration_run(new_service: NewService) -> None:
    volume = {"name": "ca", "configMap": {"name": "company-ca"}}
    mount = {"name": "ca", "mountPath": "/etc/ca"}
    service = new_service("orders", database="postgres")
    made = render(service, {"volumes": [volume], "volumeMounts": [mount]})
    for kind in ("Deployment", "Job"):
        assert volume in pod_of(only(made, kind))["volumes"]
        assert mount in container(made, kind)["volumeMounts"]


def test_an_autoscaler_reads_memory_and_has_a_behavior(new_service: NewService) -> None:
    autoscaling = {"enabled": True, "memory": 70, "behavior": UP}
    made = render(new_service("orders"), {"autoscaling": autoscaling})
    spec = only(made, "HorizontalPodAutoscaler")["spec"]
    metrics = {
        one["resource"]["name"]: one["resource"]["target"]["averageUtilization"]
        for one in spec["metrics"]
    }
    assert metrics == {"cpu": 80, "memory": 70}
    assert spec["behavior"] == UP


def test_prometheus_finds_the_service_and_may_ask_it(new_service: NewService) -> None:
    monitor = {"enabled": True, "labels": {"release": "p"}, "prometheusNamespace": "metrics"}
    made = render(new_service("orders"), {"serviceMonitor": monitor})
    found = only(made, "ServiceMonitor")
    assert found["apiVersion"] == "monitoring.coreos.com/v1"
    assert found["metadata"]["labels"]["release"] == "p"
    service = only(made, "Service")
    labels = service["metadata"]["labels"].items()
    assert found["spec"]["selector"]["matchLabels"].items() <= labels
    (endpoint,) = found["spec"]["endpoints"]
    assert endpoint == {"port": service["spec"]["ports"][0]["name"], "path": "/metrics"}
    (entry,) = only(made, "NetworkPolicy")["spec"]["ingress"]
    allowed = {"matchLabels": {"kubernetes.io/metadata.name": "metrics"}}
    assert {"namespaceSelector": allowed} in entry["from"]


@pytest.mark.parametrize("how", ["--set", "file"])
def test_a_number_is_a_tag_and_a_quantity(new_service: NewService, how: str) -> None:
    service = new_service("orders")
    if how == "--set":
        text = template(service, {}, "--set", "image.tag=20261127,resources.requests.cpu=1")
    else:
        numbers = {"image": {"tag": 20261127}, "resources": {"requests": {"cpu": 1}}}
        text = template(service, numbers)
    assert "image: ghcr.io/acme/orders:20261127\n" in text
    assert '{name: SERVICE_VERSION, value: "20261127"}' in text
    assert "cpu: 1\n" in text


def test_a_digest_alone_is_the_version(new_service: NewService) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    made = render(new_service("orders"), {"image": {"digest": digest}})
    version = {entry["name"]: entry for entry in container(made)["env"]}["SERVICE_VERSION"]
    assert version["value"] == "0123456789ab"


@pytest.mark.parametrize(
    "name", ["PORT", "DRAIN_SECONDS", "CATALOG_URL", "DATABASE_URL", "OTEL_SERVICE_NAME", "TWICE"]
)
def test_an_extra_variable_cannot_be_one_of_the_charts(new_service: NewService, name: str) -> None:
    service = new_service("shop", database="postgres", calls=["catalog"])
    extra = [{"name": "TWICE", "value": "x"}, {"name": name, "value": "x"}]
    otel = {"OTEL_SERVICE_NAME": "shop"}
    refusal = template(service, {"extraEnv": extra, "otel": otel})
    assert f"extraEnv has {name}, which the chart sets" in refusal
    elsewhere = {
        "extraEnv": [{"name": "DATABASE_URL", "value": "x"}],
        "database": {"enabled": False},
    }
    assert container(render(service, elsewhere))["env"][-1]["name"] == "DATABASE_URL"


def test_an_autoscaler_with_more_minimum_than_maximum_is_refused(new_service: NewService) -> None:
    autoscaling = {"enabled": True, "minReplicas": 9, "maxReplicas": 3}
    refusal = template(new_service("orders"), {"autoscaling": autoscaling})
    assert "maxReplicas is less than minReplicas" in refusal


def test_values_of_an_older_chart_give_the_same_objects(new_service: NewService) -> None:
    """values.yaml belongs to the service: an update does not add new keys to it."""
    service = new_service("orders", database="postgres")
    before = render(service, {})
    path = service / "chart/values.yaml"
    path.write_text(json.dumps(required(yaml.safe_load(path.read_text()), SCHEMA)))
    assert render(service, {}) == before


def required(written: Any, schema: Object) -> Any:
    """Leave out all values that the schema does not require."""
    if not isinstance(written, dict) or "required" not in schema:
        return written
    kept = {name: written[name] for name in schema["required"]}
    return {name: required(kept[name], schema["properties"][name]) for name in kept}
