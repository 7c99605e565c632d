"""A chart on a Kubernetes cluster: install, a late database, migrations that fail, uninstall."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.contract.http import until
from tests.support.images import CALLS, NAME, Images
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.needs("cluster", "docker", "helm")]
POSTGRES = "postgres:18"
DATABASE = REPOSITORY / "tests/data/cluster_database.yaml"
URL = "postgresql://postgres:dev@database:5432/postgres"
# No table is found or made there, so the first migration runs again and fails.
FAILS = f"{URL}?options=-csearch_path%3Dnowhere%20-cdefault_transaction_read_only%3Don"


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster, and a chart that is installed there."""

    namespace: str
    chart: Path
    image: str

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """Return what kubectl prints."""
        command = ["kubectl", f"--namespace={self.namespace}", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, kind: str, *words: str) -> list[Any]:
        """Return the objects of a kind."""
        found: list[Any] = json.loads(self.kubectl("get", kind, "--output=json", *words))["items"]
        return found

    def database_url(self, url: str) -> None:
        """Write the Secret of the database."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{NAME}-database"},
            "stringData": {"DATABASE_URL": url},
        }
        self.kubectl("apply", "--filename=-", stdin=json.dumps(secret))

    def helm(self, *words: str) -> subprocess.Popen[str]:
        """Start Helm."""
        command = ["helm", f"--namespace={self.namespace}", *words]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def upgrade(self) -> subprocess.Popen[str]:
        """Start the command of the service's README."""
        repository, tag = self.image.split(":")
        values = [f"image.repository={repository}", f"image.tag={tag}", "gateway.enabled=false"]
        values += [f"calls.{callee}=http://{callee}:8080" for callee in CALLS]  # not installed
        words = ("--wait", "--timeout=4m", "--set", ",".join(values))
        return self.helm("upgrade", "--install", NAME, str(self.chart), *words)

    def migrations(self) -> set[str]:
        """Return the names of all pods that the migration has had, also of those that are gone."""
        selector = "--field-selector=involvedObject.kind=Job,reason=SuccessfulCreate"
        return {event["message"].split()[-1] for event in self.objects("events", selector)}

    def migrations_now(self, phase: str) -> list[Any]:
        """Return the pods of the migration in a phase."""
        labels = "--selector=app.kubernetes.io/component=migration"
        return self.objects("pods", labels, f"--field-selector=status.phase={phase}")


@pytest.fixture(scope="module")
def cluster(images: Images) -> Iterator[Cluster]:
    """Return an empty namespace whose nodes have the images."""
    namespace = f"svcgen-test-{os.getpid()}"
    made = Cluster(
        namespace, images.folder("python", "postgres") / "chart", images.of("python", "postgres")
    )
    for image in (made.image, POSTGRES):
        subprocess.run([*shlex.split(os.environ["SVCGEN_CLUSTER_LOAD"]), image], check=True)
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": namespace, "labels": restricted}
    described = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    made.kubectl("create", "--filename=-", stdin=json.dumps(described))
    try:
        made.kubectl("create", f"--filename={DATABASE}")
        yield made
    finally:
        made.kubectl("delete", "namespace", namespace)


def test_a_migration_waits_for_a_database_that_is_late(cluster: Cluster) -> None:
    cluster.database_url(URL)
    installing = cluster.upgrade()
    while not cluster.migrations_now("Failed"):  # it has waited for 30 s
        assert installing.poll() is None, installing.communicate()
        time.sleep(1)
    cluster.kubectl("scale", "deployment/database", "--replicas=1")
    output, _ = installing.communicate()
    assert installing.returncode == 0, output
    assert len(cluster.migrations()) == 2
    ready = cluster.objects("deployments", f"--selector=app.kubernetes.io/name={NAME}")
    assert ready[0]["status"]["readyReplicas"] == 2


@pytest.mark.parametrize(
    ("url", "reason"),
    [(FAILS, "the migrations failed: "), ("mysql://localhost/x", "DATABASE_URL: ")],
    ids=["migration", "variable"],
)
def test_a_migration_that_fails_for_good_fails_once(
    cluster: Cluster, url: str, reason: str
) -> None:
    before, pods = cluster.migrations(), cluster.objects("pods")
    cluster.database_url(url)
    began = time.monotonic()
    upgrading = cluster.upgrade()
    output, _ = upgrading.communicate()
    assert upgrading.returncode == 1, output
    assert time.monotonic() - began < 30, output  # a second run begins 10 s after the first
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [line["level"] for line in lines] == ["error"]
    assert lines[0]["msg"].startswith(reason)
    assert len(cluster.migrations() - before) == 1
    # Only the migration is removed: the old version runs on.
    until(lambda: not cluster.objects("jobs"), 30)
    until(lambda: names(cluster.objects("pods")) == names(pods), 30)


def test_uninstall_leaves_nothing(cluster: Cluster) -> None:
    for words in (("test", NAME), ("uninstall", NAME, "--wait")):
        done = cluster.helm(*words)
        output, _ = done.communicate()
        assert done.returncode == 0, output
    made = {document["kind"].lower() for document in rendered(cluster)}
    kinds = ",".join(sorted(made | {"pod", "replicaset", "job"}))
    labels = f"--selector=app.kubernetes.io/instance={NAME}"
    until(lambda: not cluster.objects(kinds, labels), 60)


def rendered(cluster: Cluster) -> list[Any]:
    """Return the objects of the release."""
    done = cluster.helm("template", NAME, str(cluster.chart), "--set", "gateway.enabled=false")
    return [document for document in yaml.safe_load_all(done.communicate()[0]) if document]


def names(objects: list[Any]) -> set[str]:
    return {one["metadata"]["name"] for one in objects}
