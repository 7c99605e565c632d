"""An Envoy that checks the gateway's configuration: a program of this machine, or its image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from svcgen.compose.stitch import ENVOY_IMAGE
from svcgen.compose.validate import Validate
from svcgen.errors import SvcgenError
from svcgen.run.docker.docker import docker
from svcgen.run.local.envoy_program import find_envoy

SECONDS = 60.0  # 200 services take one
VALIDATE = ("--mode", "validate", "--log-level", "error")
FAILED = re.compile(r".*error initializing configuration '[^']*': ")
UNREAD = re.compile(
    r" @ (?:static_resources\.)?(?P<key>[\w.\[\]]+): .*? \(offset \d+\): (?P<problem>[^)]+)\)"
)
IN_CONTAINER = f"cat >/tmp/twin.json && exec envoy {' '.join(VALIDATE)} -c /tmp/twin.json"


def find_validator() -> Validate | None:
    """Return a check by the local engine's Envoy, else by the gateway's image if Docker has it.

    None without both: then only svcgen's own rules check a registration.
    """
    try:
        return partial(ask_program, find_envoy())
    except SvcgenError:
        pass
    image = os.environ.get("ENVOY_IMAGE") or ENVOY_IMAGE
    inspect = ("image", "inspect", "--format", "{{.Id}}", image)
    if shutil.which("docker") and docker(*inspect, tolerate=True).strip():
        return partial(ask_image, image)
    return None


def ask_program(program: Path, twin: str) -> str:
    """Return why Envoy refuses a configuration in one file; empty when it accepts it."""
    with tempfile.TemporaryDirectory(prefix="svcgen-") as folder:
        file = Path(folder) / "twin.json"
        file.write_text(twin, encoding="utf-8")
        command = [str(program), *VALIDATE, "-c", str(file)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SvcgenError(f"Envoy cannot check the configuration: {error}") from error
    return _reason(done.stderr or done.stdout) if done.returncode else ""


def ask_image(image: str, twin: str) -> str:
    """Do the same with a container of the gateway's image."""
    run = ("run", "--rm", "--interactive", "--network", "none", "--entrypoint", "bash")
    try:
        # In one line: Envoy repeats what it cannot read, and only the last lines are kept.
        docker(*run, image, "-c", IN_CONTAINER, stdin=json.dumps(json.loads(twin)))
    except SvcgenError as error:
        return _reason(error.problem)
    return ""


def _reason(output: str) -> str:
    """Return why Envoy ended, with the key where it says one. It prints a value on more lines."""
    lines = [line.strip(": ") for line in output.splitlines() if line.strip()]
    failed = [number for number, line in enumerate(lines) if FAILED.search(line)]
    # Protobuf puts spaces at random into its messages, so that no program relies on them.
    words = " ".join(lines[failed[-1] :] if failed else lines[-1:]).split()
    text = FAILED.sub("", " ".join(words))
    if unread := UNREAD.search(text):
        return f"{unread['key']}: {unread['problem']}"
    causes = re.findall(r"(\w+)Error\.([\w\[\]]+): ", text)
    if not causes:
        return text or "without a reason"
    key = ".".join(name for _message, name in causes if name != "StaticResources")
    return f"{key}: {text.rpartition(': ')[2].rstrip(')')}"
