"""What tests ask of a chart: its objects, their faults, and what breaks Pod Security's rules."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.repository import REPOSITORY

Object = Mapping[str, Any]

KUBERNETES = ("1.30", "1.37")  # the chart's kubeVersion, and the newest whose schemas are here
HTTP_ROUTE = REPOSITORY / "tests" / "data" / "httproutes.yaml"
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}


def helm(*words: str | Path, program: str = "helm") -> str:
    """Return what Helm prints; the error's own text when it refuses."""
    command = [program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else done.stderr or done.stdout


def template(service: Path, values: Object, *words: str, program: str = "helm") -> str:
    """Return the service's objects as text, or Helm's refusal."""
    file = value_file(service, values)
    return helm("template", "shop", service / "chart", "-f", file, *words, program=program)


def render(service: Path, values: Object, *words: str) -> list[Any]:
    """Return the service's objects."""
    text = template(service, values, *words)
    assert not text.startswith("Error"), text
    return [document for document in yaml.safe_load_all(text) if document]


def value_file(service: Path, values: Object) -> Path:
    path = service / "values-of-test.json"
    path.write_text(json.dumps(values))
    return path


def only(objects: list[Any], kind: str) -> Any:
    """Return the one object of this kind."""
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


def faults(one: Object) -> Iterator[str]:
    """Yield what is wrong with an object, unknown fields too; KeyError where no schema is known."""
    if one["kind"] == "HTTPRoute":
        yield from (error.message for error in _http_route().iter_errors(one))
        return
    if one["kind"] == "ServiceMonitor":
        return  # its schema is not here
    import kubernetes_validate

    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{one['kind']} {version}: {error.message}"


@cache
def _http_route() -> Any:
    from jsonschema import Draft202012Validator

    versions = yaml.safe_load(HTTP_ROUTE.read_text())["spec"]["versions"]
    (version,) = [version for version in versions if version["name"] == "v1"]
    return Draft202012Validator(_closed(version["schema"]["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    """Forbid what a schema does not name, as the API server does when it validates strictly."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(part) for key, part in schema.items()}
    names_all = schema.get("type") == "object" and "properties" in schema
    return inner | ({"additionalProperties": False} if names_all else {})


def pod_of(one: Object) -> dict[str, Any]:
    """Return the pod's spec that an object holds; empty when it holds none."""
    if one["kind"] == "CronJob":
        return pod_of(one["spec"]["jobTemplate"] | {"kind": "Job"})
    spec: dict[str, Any] = one.get("spec", {})
    found: dict[str, Any] = spec if one["kind"] == "Pod" else spec.get("template", {}).get("spec")
    return found or {}


def container(objects: list[Any], kind: str = "Deployment") -> Any:
    """Return the first container of the one object of this kind."""
    return pod_of(only(objects, kind))["containers"][0]


def violations(pod: Object) -> Iterator[str]:
    """Yield the rules of the restricted profile that a pod breaks.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    context = pod.get("securityContext", {})
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    yield from {"sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"} & set(context)
    yield from {key for volume in pod.get("volumes", []) for key in volume} - VOLUMES - {"name"}
    for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
        own = container.get("securityContext", {})
        kept = _container_rules(container, own, {**context, **own})
        yield from (rule for rule, holds in kept.items() if not holds)


def _container_rules(container: Object, own: Object, effective: Object) -> dict[str, bool]:
    capabilities = own.get("capabilities", {})
    seccomp = effective.get("seccompProfile", {}).get("type")
    hooks = container.get("lifecycle", {}).values()
    probes = [container.get(f"{probe}Probe", {}) for probe in ("startup", "liveness", "readiness")]
    asked = [action.get("httpGet", {}) for action in (*hooks, *probes)]
    return {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "drop": "ALL" in capabilities.get("drop", []),
        "add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "runAsNonRoot": effective.get("runAsNonRoot") is True,
        "runAsUser": effective.get("runAsUser") != 0,
        "seccompProfile": seccomp in ("RuntimeDefault", "Localhost"),
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
        "host": not any("host" in request for request in asked),
    }
