"""The chart as its user meets it: answers and values in, Kubernetes objects or a refusal out."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from svcgen.contract.checks.health import TEMPORARY_FAILURE
from tests.support.helm import (
    Object,
    container,
    faults,
    helm,
    only,
    pod_of,
    render,
    template,
    value_file,
    violations,
)
from tests.support.kube_api import api_server
from tests.support.repository import NewService

pytestmark = pytest.mark.needs("helm")

SHOP = ("catalog", "orders", "billing")
LONG = "a-name-of-forty-characters-is-the-limit0"
DIGEST = "sha256:" + "0123456789abcdef" * 4

ANSWERS: dict[str, dict[str, Any]] = {
    "plain": {"name": "orders"},
    "postgres": {"name": "orders", "database": "postgres", "calls": ["catalog", "order-items"]},
    "long": {"name": LONG, "database": "postgres", "calls": [LONG[:-1] + "1"]},
    "two calls": {"name": "orders", "calls": ["ya", "nulls"]},
    "text": {"name": "a", "description": "{{ x }}: \"q\" 'it' # 🛒 \\", "owner": "- {{ y }}"},
}
ON: dict[str, Any] = {
    "global": {"region": "eu"},
    "image": {"tag": "v" + "1" * 62 + "_", "pullPolicy": "Always"},
    "autoscaling": {"enabled": True},
    "resources": {"limits": {"cpu": "2"}},
    "pod": {
        "imagePullSecrets": [{"name": "login"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
    },
    "podAnnotations": {"prometheus.io/scrape": "true"},
    "serviceAccount": {"annotations": {"iam.example.com/role": "arn:x"}},
    "logLevel": "debug",
    "otel": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.observability:4318"},
    "extraEnv": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "t", "key": "t"}}}],
    "jobs": {
        "report": {"schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "args": ["report"]},
        "clean": {"schedule": "@hourly", "command": ["python", "-m", "app.clean"], "seconds": 60},
    },
    "database": {"enabled": True},
    "gateway": {
        "parentRefs": [{"name": "edge", "namespace": "gateways", "sectionName": "https"}],
        "hostnames": ["api.example.com"],
        "routes": {"more": {"exact": "/v1/more/", "auth": "none", "retry": {"attempts": 1}}},
        "upstream": {"port": 9000, "health": {"http": "/readyz"}},
    },
    "serviceMonitor": {"enabled": True},
    "networkPolicy": {
        "callers": ["shop", "y"],
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 8080}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
}
OFF: dict[str, Any] = {
    "replicas": 0,
    "database": {"enabled": False},
    "gateway": {"enabled": False},
    "networkPolicy": {"enabled": False},
}
VALUES = {"defaults": {}, "on": ON, "off": OFF, "digest": {"image": {"digest": DIGEST}}}


CASES = [(answers, "on") for answers in ANSWERS] + [("postgres", values) for values in VALUES]


@pytest.mark.parametrize(("answers", "values"), sorted(set(CASES)))
def test_every_object_is_valid(new_service: NewService, answers: str, values: str) -> None:
    service = new_service(**ANSWERS[answers])
    files = value_file(service, VALUES[values])
    assert helm("lint", "--strict", "--quiet", service / "chart", "-f", files) == ""
    for one in render(service, VALUES[values]):
        assert list(faults(one)) == []
        assert list(violations(pod_of(one))) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "hostPath"),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser"),
        ({"securityContext": {}}, "runAsNonRoot"),
        ({"containers": [{}]}, "allowPrivilegeEscalation"),
    ],
)
def test_a_weaker_pod_would_be_noticed(new_service: NewService, change: Any, rule: str) -> None:
    pod = pod_of(only(render(new_service("orders"), {}), "Deployment"))
    assert rule in violations(pod | change)


def test_nothing_but_tmp_is_written_and_memory_has_a_limit(new_service: NewService) -> None:
    for kind in ("Deployment", "Job", "Pod"):
        found = container(
            render(new_service("orders" + kind.lower(), database="postgres"), {}), kind
        )
        assert found["securityContext"]["readOnlyRootFilesystem"] is True
        assert found["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert set(found["resources"]["limits"]) == {"memory"}


def test_a_scheduled_job_runs_the_image_as_the_service_does(new_service: NewService) -> None:
    objects = render(new_service("orders", database="postgres"), ON)
    jobs = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "CronJob"}
    assert set(jobs) == {"orders-report", "orders-clean"}
    run = jobs["orders-clean"]["jobTemplate"]["spec"]
    (clean,) = run["template"]["spec"]["containers"]
    served = container(objects, "Deployment")
    assert clean["command"] == ["python", "-m", "app.clean"]
    assert (run["activeDeadlineSeconds"], run["backoffLimit"]) == (60, 0)
    for part in ("image", "env", "securityContext", "volumeMounts", "resources"):
        assert clean[part] == served[part]
    assert jobs["orders-report"]["timeZone"] == "Europe/Berlin"
    labels = run["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "job"  # receives no requests
    policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
    assert any(
        "job" in rule["values"]
        for one in policies
        for rule in one["podSelector"].get("matchExpressions", ())
    )


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 1}, "replica"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"image": {"tag": 1.1}}, "/image/tag"),
        ({"image": {"tag": 1.0}}, "/image/tag"),  # 1 and 1.0 are the same number
        ({"image": {"tag": 2**53}}, "/image/tag"),  # Helm reads another number
        ({"image": {"digest": "sha256:12"}}, "/image/digest"),
        ({"image": {"repository": "acme/orders:1@x"}}, "/image/repository"),
        ({"image": None}, "image"),
        ({"replicas": "two"}, "/replicas"),
        ({"autoscaling": {"cpu": 0}}, "/autoscaling/cpu"),
        ({"autoscaling": {"behavior": {"scaleup": {}}}}, "scaleup"),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "/podDisruptionBudget/maxUnavailable"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "/podDisruptionBudget"),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "/podLabels"),
        ({"podLabels": {"enabled": True}}, "/podLabels/enabled"),
        ({"volumes": [{"name": "tmp", "emptyDir": {}}]}, "/volumes/0/name"),
        ({"volumeMounts": [{"name": "x", "mountPath": "/tmp/"}]}, "/volumeMounts/0/mountPath"),
        ({"probes": {"startup": {"httpGet": {"path": "/"}}}}, "httpGet"),
        ({"jobs": {"report": {"args": ["report"]}}}, "/jobs/report"),
        ({"jobs": {"report": {"schedule": "hourly"}}}, "/jobs/report/schedule"),
        ({"jobs": {"a-name-too-long": {"schedule": "@hourly"}}}, "a-name-too-long"),
        ({"extraEnv": [{"nam": "X", "value": "x"}]}, "/extraEnv/0"),
        ({"extraEnv": [{"name": "X", "value": 1}]}, "/extraEnv/0/value"),
        ({"envFrom": [{"configMap": "x"}]}, "/envFrom/0"),
        ({"serviceMonitor": {"namespace": "x"}}, "/serviceMonitor"),
        ({"resources": {"limits": {"memory": 256}}}, "/resources/limits/memory"),
        ({"pod": {"hostNetwork": True}}, "hostNetwork"),
        ({"logLevel": "loud"}, "/logLevel"),
        ({"drainSeconds": -1}, "/drainSeconds"),
        ({"calls": {"catalog": "catalog:8080"}}, "/calls/catalog"),
        ({"otel": {"ENDPOINT": "x"}}, "ENDPOINT"),
        ({"otel": {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}}, "/otel"),
        ({"database": {"port": 70000}}, "/database/port"),
        ({"database": {"password": "x"}}, "password"),
        ({"gateway": {"parentRefs": []}}, "/gateway/parentRefs"),
        ({"gateway": {"service": "other"}}, "service"),
        ({"networkPolicy": {"callers": ["Shop"]}}, "/networkPolicy/callers/0"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_by_name(
    new_service: NewService, values: Object, named: str
) -> None:
    refusal = template(new_service("orders"), values)
    assert refusal.startswith("Error: values don't meet the specifications of the schema")
    assert named in refusal


def test_the_selector_never_changes(new_service: NewService) -> None:
    service = new_service("orders", database="postgres")
    before, after = render(service, {}), render(service, ON)
    selector = only(before, "Deployment")["spec"]["selector"]["matchLabels"]
    assert only(after, "Deployment")["spec"]["selector"]["matchLabels"] == selector
    assert not any("version" in label or "chart" in label for label in selector)
    for objects in (before, after):
        assert only(objects, "Service")["spec"]["selector"] == selector
        assert only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == selector


def test_only_the_servers_pods_are_selected(new_service: NewService) -> None:
    objects = render(new_service("orders", database="postgres"), {})
    selector = only(objects, "Service")["spec"]["selector"].items()
    labels = {
        "server": only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"],
        "migration": only(objects, "Job")["spec"]["template"]["metadata"]["labels"],
        "test": only(objects, "Pod")["metadata"]["labels"],
    }
    assert {name for name, own in labels.items() if selector <= own.items()} == {"server"}


def test_a_scaled_deployment_says_no_replicas(new_service: NewService) -> None:
    service, stored = new_service("orders"), new_service("stock", database="postgres")
    # What one replica keeps in its memory another one would not find.
    assert only(render(service, {}), "Deployment")["spec"]["replicas"] == 1
    assert only(render(stored, {}), "Deployment")["spec"]["replicas"] == 2
    scaled = render(service, {"autoscaling": {"enabled": True}})
    assert "replicas" not in only(scaled, "Deployment")["spec"]
    target = only(scaled, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders"}


@pytest.mark.parametrize("drain", [0, 3, 300])
def test_a_pod_is_given_the_time_that_it_needs_to_stop(new_service: NewService, drain: int) -> None:
    pod = pod_of(only(render(new_service("orders"), {"drainSeconds": drain}), "Deployment"))
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    finish = 20  # docs/contract.md, drain-limit
    assert sleep + drain + finish < pod["terminationGracePeriodSeconds"] <= drain + 40


def test_the_schema_is_migrated_before_anything_else_is_made(new_service: NewService) -> None:
    service = new_service("orders", database="postgres")
    job = only(render(service, {}), "Job")
    hooks = job["metadata"]["annotations"]["helm.sh/hook"]
    assert hooks == "pre-install,pre-upgrade"  # a rollback leaves the schema: no pre-rollback
    pod = pod_of(job)
    assert pod["containers"][0]["args"] == ["migrate"]
    # At the first install nothing of this release is there yet, so the job may refer to nothing.
    assert "serviceAccountName" not in pod
    existing = render(service, {"serviceAccount": {"name": "with-role"}})
    for kind in ("Job", "Deployment"):
        assert pod_of(only(existing, kind))["serviceAccountName"] == "with-role"
    assert "ServiceAccount" not in {one["kind"] for one in existing}
    assert "configMap" not in json.dumps(pod)
    assert "Job" not in {one["kind"] for one in render(service, {}, "--no-hooks")}
    assert "Job" not in {one["kind"] for one in render(new_service("catalog"), {})}


@pytest.mark.parametrize(("values", "deadline"), [({}, 600), ({"migrationSeconds": 7200}, 7200)])
def test_a_failed_migration_never_runs_later(
    new_service: NewService, values: Object, deadline: int
) -> None:
    job = only(render(new_service("orders", database="postgres"), {"database": values}), "Job")
    annotations = job["metadata"]["annotations"]
    assert "hook-failed" in annotations["helm.sh/hook-delete-policy"]
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"  # since Helm 3.18
    assert job["spec"]["activeDeadlineSeconds"] == deadline
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_only_a_migration_that_may_succeed_runs_again(new_service: NewService) -> None:
    spec = only(render(new_service("orders", database="postgres"), {}), "Job")["spec"]
    assert spec["backoffLimit"] == 1
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # or the kubelet starts the container again
    evicted, failed = spec["podFailurePolicy"]["rules"]
    assert evicted["action"] == "Ignore"
    assert [one["type"] for one in evicted["onPodConditions"]] == ["DisruptionTarget"]
    assert failed["action"] == "FailJob"
    codes = failed["onExitCodes"]
    assert codes["containerName"] == pod["containers"][0]["name"]
    assert codes["operator"] == "NotIn"
    assert codes["values"] == [TEMPORARY_FAILURE, 128 + signal.SIGKILL, 128 + signal.SIGTERM]


@pytest.mark.parametrize(
    ("secrets", "refused"),
    [
        ({}, True),
        ({"orders-database": {"URL": "eA=="}}, True),
        ({"orders-database": {"DATABASE_URL": "eA=="}}, False),
    ],
)
def test_a_secret_that_is_missing_is_named_at_once(
    new_service: NewService, secrets: Any, refused: bool
) -> None:
    """Without it the pod of the migration would wait, and Helm with it, for 5 minutes."""
    service = new_service("orders", database="postgres")
    with api_server("shop", secrets) as url:
        words = ("--namespace", "shop", "--dry-run=server", "--kube-apiserver", url)
        text = template(service, {}, *words, "--disable-openapi-validation")
    if refused:
        assert "Secret orders-database in namespace shop has no key DATABASE_URL" in text
        assert "kubectl create secret generic orders-database --namespace shop" in text
    else:  # rendered; this API knows none of the objects
        assert "unable to build kubernetes objects from release manifest" in text


def test_the_notes_say_who_may_call_and_which_routes_there_are(new_service: NewService) -> None:
    service = new_service("orders")
    routes = {"orders": {"methods": ["GET"]}, "all": {"path": "/v1/all", "auth": "none"}}
    values = {"gateway": {"routes": routes, "parentRefs": [{"name": "edge", "namespace": "gw"}]}}
    words = ("install", "shop", service / "chart", "--dry-run=client", "-f")
    text = helm(*words, value_file(service, values)).partition("NOTES:\n")[2]
    assert "orders 0.1.0 is at http://orders:8080.\n" in text
    assert "allows no other service (chart/callers.yaml, networkPolicy.callers).\n" in text
    assert "  /v1/all (all methods): HTTPRoute orders-all\n" in text
    assert "  /v1/orders GET HEAD OPTIONS: HTTPRoute orders-orders\n" in text
    assert "The routes work after Gateway gw/edge accepts them:\n" in text
    (service / "chart/callers.yaml").write_text("callers: [web]")
    off = {"gateway": {"enabled": False}}
    text = helm(*words, value_file(service, off)).partition("NOTES:\n")[2]
    assert "Its NetworkPolicy allows web.\n" in text
    assert "Gateway" not in text


def test_every_pod_may_send_what_it_must_where_all_is_denied(new_service: NewService) -> None:
    objects = render(new_service("shop", database="postgres", calls=["orders"]), {})
    hook = named(objects, "NetworkPolicy", "shop-migrate")
    job, test = only(objects, "Job"), only(objects, "Pod")
    for one, policy in ((job, hook), (test, named(objects, "NetworkPolicy", "shop"))):
        labels = one["metadata" if one is test else "spec"]
        labels = labels["labels"] if one is test else labels["template"]["metadata"]["labels"]
        assert selects(policy["spec"]["podSelector"], labels)
    annotations = hook["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == job["metadata"]["annotations"]["helm.sh/hook"]
    assert int(annotations["helm.sh/hook-weight"]) < 0  # before the Job, whose weight is 0
    dns, database = hook["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert database == {"ports": [{"port": 5432}]}


def test_the_environment_is_the_contracts(new_service: NewService) -> None:
    service = new_service("shop", database="postgres", calls=["catalog", "order-items"])
    values = {
        "image": {"tag": "v1.2.0"},
        "calls": {"catalog": "https://catalog.example.com/base"},
        "otel": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
    }
    found = {entry["name"]: entry for entry in container(render(service, values))["env"]}
    secret = found.pop("DATABASE_URL")["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "shop-database", "key": "DATABASE_URL"}
    assert {name: entry["value"] for name, entry in found.items()} == {
        "PORT": "8080",
        "LOG_LEVEL": "info",
        "SERVICE_VERSION": "v1.2.0",
        "DRAIN_SECONDS": "3",
        "CATALOG_URL": "https://catalog.example.com/base",
        "ORDER_ITEMS_URL": "http://order-items:8080",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    }


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "ghcr.io/acme/orders:0.1.0"),
        ({"tag": "v2"}, "ghcr.io/acme/orders:v2"),
        ({"tag": "v2", "digest": DIGEST}, f"ghcr.io/acme/orders@{DIGEST}"),
        ({"repository": "localhost:5000/orders"}, "localhost:5000/orders:0.1.0"),
    ],
)
def test_an_image_is_named_by_tag_or_digest(
    new_service: NewService, image: Object, reference: str
) -> None:
    objects = render(new_service("orders", database="postgres"), {"image": image})
    assert {container(objects, kind)["image"] for kind in ("Deployment", "Job", "Pod")} == {
        reference
    }


def test_the_network_is_open_where_the_service_needs_it(new_service: NewService) -> None:
    service = new_service("shop", database="postgres", calls=["catalog", "orders"])
    values = {"networkPolicy": {"callers": ["web"]}, "serviceMonitor": {"enabled": True}}
    policy = named(render(service, values), "NetworkPolicy", "shop")["spec"]
    (entry,) = policy["ingress"]
    assert entry["ports"] == [{"port": 8080}]
    peers = ["envoy-gateway-system", "monitoring", "test", "web"]
    assert sorted(map(peer, entry["from"])) == peers
    dns, database, services = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [peer(one) for one in services["to"]] == ["shop", "catalog", "orders"]
    assert database == {"ports": [{"port": 5432}]}


def test_callers_come_from_the_file_and_from_values(new_service: NewService) -> None:
    service = new_service("orders")
    (service / "chart/callers.yaml").write_text("# written\ncallers:\n- web\n- catalog\n")
    values = {"networkPolicy": {"callers": ["web", "mobile"]}}
    (entry,) = only(render(service, values), "NetworkPolicy")["spec"]["ingress"]
    peers = ["catalog", "envoy-gateway-system", "mobile", "test", "web"]
    assert sorted(map(peer, entry["from"])) == peers


@pytest.mark.parametrize(
    "text", ["- web", "callers: web", "callers: [Web]", "callers: [1]", "callers: [", "more: []"]
)
def test_callers_that_are_none_are_refused(new_service: NewService, text: str) -> None:
    service = new_service("orders")
    (service / "chart/callers.yaml").write_text(text)
    assert "callers.yaml must be a list of service names" in template(service, {})


def selects(selector: Object, labels: Object) -> bool:
    return selector["matchLabels"].items() <= labels.items() and all(
        labels[rule["key"]] in rule["values"] for rule in selector.get("matchExpressions", [])
    )


def named(objects: list[Any], kind: str, name: str) -> Any:
    (found,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def peer(one: Object) -> str:
    selector = one.get("podSelector", one.get("namespaceSelector"))
    return str(list(selector["matchLabels"].values())[-1])


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://x.example.com/a:1", 443), ("http://x1", 80), ("http://10.0.0.1:9000/", 9000)],
)
def test_another_url_opens_its_port(new_service: NewService, url: str, port: int) -> None:
    service = new_service("shop", calls=["catalog"])
    policy = only(render(service, {"calls": {"catalog": url}}), "NetworkPolicy")["spec"]
    assert policy["egress"][2:] == [{"ports": [{"port": port}]}]
    assert [peer(one) for one in policy["egress"][1]["to"]] == ["shop"]


@pytest.mark.needs("helm3")
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_3_writes_the_same(new_service: NewService, values: Object) -> None:
    service = new_service(**ANSWERS["postgres"])
    assert template(service, values, program="helm3") == template(service, values)


def test_the_release_is_tested_by_another_pod_of_the_same_image(new_service: NewService) -> None:
    objects = render(new_service("orders"), {})
    command = container(objects, "Pod")["command"]
    assert command[-1] == "http://orders:8080/readyz"
    assert command[0] == "python"
    labels = only(objects, "Pod")["metadata"]["labels"].items()
    (entry,) = only(objects, "NetworkPolicy")["spec"]["ingress"]
    assert entry["from"][0]["podSelector"]["matchLabels"].items() <= labels


def test_the_release_asks_each_service_that_it_calls(new_service: NewService) -> None:
    service = new_service("shop", calls=list(SHOP))
    pod = only(render(service, {"calls": {"billing": "https://billing.example.com"}}), "Pod")
    asked = [one["command"][-1] for one in pod["spec"]["initContainers"]]
    assert asked == ["http://catalog:8080/livez", "http://orders:8080/livez"]
    assert len(pod["spec"]["containers"]) == 1  # helm test --logs reads the only one
    alone = only(render(service, {"calls": dict.fromkeys(SHOP, "http://x:8080")}), "Pod")
    assert "initContainers" not in alone["spec"]
