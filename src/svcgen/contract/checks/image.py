"""Image: what the restricted Pod Security Standard requires."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.checks.resource import made
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import expect
from svcgen.contract.http import status, until
from svcgen.contract.targets.base import FOLDER, IMAGE
from svcgen.contract.targets.image import ImageTarget, docker

USER = "65532"
SIGNALLED = 20.0  # seconds until /readyz follows a signal, on a busy machine
TRIES = 3  # failures until a container is unhealthy: Docker's default
SHELLS = re.compile(r"(^|/)(sh|bash|ash|dash|busybox)$")
LABELS = ("org.opencontainers.image.version", "org.opencontainers.image.revision")
ARGUMENT = re.compile(r"^ARG\s+(\w+)(=\S+)?", re.IGNORECASE)
FROM = re.compile(r"^FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)


def configuration(context: CheckContext) -> Any:
    """Return the image's configuration."""
    target = context.target
    expect(isinstance(target, ImageTarget), "the target is not an image")
    image = target.image if isinstance(target, ImageTarget) else ""
    return json.loads(docker("image", "inspect", "--format", "{{json .Config}}", image))


def image_user(context: CheckContext) -> None:
    user = str(configuration(context).get("User"))
    expect(user.partition(":")[0] == USER, f"USER is {user!r}")
    expect(status(context.address, "/livez") == 200, "it does not run")
    processes = docker("top", context.shared_service.name, "-eo", "pid,uid").split()[3::2]
    expect(set(processes) == {USER}, f"the processes run as {sorted(set(processes))}")


def image_read_only(context: CheckContext) -> None:
    made(context, "written")  # ImageTarget mounts only /tmp writable
    changed = docker("diff", context.shared_service.name).splitlines()
    written = [line for line in changed if not line.endswith(" /tmp")]
    expect(not written, f"written outside of /tmp: {written[:3]}")


def image_labels(context: CheckContext) -> None:
    found = configuration(context)
    labels = found.get("Labels") or {}
    missing = [label for label in LABELS if not labels.get(label)]
    expect(not missing, f"labels are missing: {missing}")
    entry = [*(found.get("Entrypoint") or []), *(found.get("Cmd") or [])]
    expect(entry and not SHELLS.search(entry[0]), f"the entry point is {entry}")


def image_health(context: CheckContext) -> None:
    test = (configuration(context).get("Healthcheck") or {}).get("Test") or [""]
    expect(test[0] == "CMD", f"HEALTHCHECK is not in exec form: {test}")
    expect(not SHELLS.search(test[1]), f"HEALTHCHECK needs a shell: {test}")
    tries = (health_check(context.shared_service.name, test[1:]) for _ in range(TRIES))
    expect(0 in tries, f"it fails {TRIES} times while the service is ready")
    with context.ready(DRAIN_SECONDS="30") as running:
        running.signal(15)
        until(lambda: status(running.address, "/readyz") != 200, SIGNALLED)
        expect(health_check(running.name, test[1:]) != 0, "it exits 0 while not ready")


def health_check(container: str, command: list[str]) -> int:
    """Run a health check inside a container."""
    return subprocess.run(
        ["docker", "exec", container, *command], capture_output=True, check=False
    ).returncode


def image_arguments(context: CheckContext) -> None:
    text = (context.service.folder / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    expect(not re.search(r"^#\s*syntax\s*=", text, re.MULTILINE), "there is a # syntax line")
    first = next((number for number, line in enumerate(lines) if FROM.match(line)), len(lines))
    arguments = [match for match in map(ARGUMENT.match, lines[:first]) if match]
    given = {match[1] for match in arguments if match[2]}
    for name in ("BUILD_IMAGE", "RUNTIME_IMAGE"):
        expect(name in given, f"no ARG {name}=… before the first FROM")
    known = {f"${{{name}}}" for name in given} | {f"${name}" for name in given}
    for match in filter(None, map(FROM.match, lines)):
        expect(match[1] in known, f"FROM {match[1]} is neither an ARG nor a stage")
        known |= {match[2]} - {None}


PACKED = frozenset({IMAGE})
CHECKS = (
    Check("image-user", "runs as 65532", image_user, PACKED),
    Check("image-read-only", "writes nothing outside of /tmp", image_read_only, PACKED),
    Check("image-labels", "version, revision, entry point in exec form", image_labels, PACKED),
    Check("image-health", "a health check without a shell", image_health, PACKED, alone=True),
    Check("image-arguments", "each base image is an ARG", image_arguments, PACKED | {FOLDER}),
)
