"""The files of a stitched workspace: compose.yaml at the root, and `gateway/` beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import svcgen.gateway
from svcgen.compose.agents import agents_files
from svcgen.compose.callees import ABSENT_PORT, address_files
from svcgen.compose.environment import environment_files
from svcgen.compose.fleet import Fleet
from svcgen.gateway.apply import KEYS_FILE
from svcgen.gateway.envoy.api_keys import keys_document
from svcgen.gateway.envoy.bootstrap import BOOTSTRAP
from svcgen.gateway.envoy.external import HOST_IN_CONTAINER
from svcgen.gateway.envoy.files import ComposePlacement, edge_files
from svcgen.gateway.tls import MOUNTED
from svcgen.gateway_settings import GatewaySettings
from svcgen.service import COMPOSE_FILE
from svcgen.workspace import COMPOSE_MARK

ENVOY_IMAGE = "envoyproxy/envoy:v1.40.0"
CALLS = "calls"  # folder of the addresses of callees, a file for each caller
ENVIRONMENT = "environment"  # folder of the variables of svcgen.yaml, a file for each service
CONTAINER_FILES = ("entrypoint.sh", "ready.sh")
READ_ONCE = (BOOTSTRAP, "entrypoint.sh")  # at the gateway's start; it reads the rest again

# One line a service under `include`, and nothing else that depends on how many there are.
ROOT = """\
{mark}; to change it, change the services or svcgen.yaml.
{name}include:{includes}

services:
  gateway:
    image: ${{ENVOY_IMAGE:-{image}}}
    entrypoint: [bash, /etc/gateway/entrypoint.sh]
    labels:
      svcgen.dev/started-with: "{digest}" # a new gateway where its start-up files changed
    user: "101"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    tmpfs: [/tmp]
    volumes:{volumes}
    ports: [{ports}]
    networks: [platform]{hosts}
    healthcheck:
      test: [CMD, bash, /etc/gateway/ready.sh]
      interval: 2s
      timeout: 2s
      retries: 15
    mem_limit: 1280m # Envoy limits its heap to 1 GiB
    pids_limit: 512
    logging: {{driver: json-file, options: {{max-size: 10m, max-file: "3"}}}}
    stop_grace_period: 45s
    restart: unless-stopped

networks:
  platform: {{}}
"""


def stitched_files(fleet: Fleet) -> dict[str, str]:
    """Return the text of every file, by its path relative to the root."""
    placement = ComposePlacement(absent_port=ABSENT_PORT if fleet.absent else 0)
    gateway = edge_files(
        fleet.table, fleet.upstreams, placement, fleet.settings.gateway, fleet.issuers
    )
    gateway[KEYS_FILE] = keys_document([])  # keys are of a machine, and never committed
    added = {CALLS: address_files(fleet), ENVIRONMENT: environment_files(fleet)}
    for folder, texts in added.items():
        gateway |= {f"{folder}/{name}.yaml": text for name, text in texts.items()}
    container = Path(svcgen.gateway.__file__).parent / "container"
    for name in CONTAINER_FILES:
        gateway[name] = (container / name).read_text(encoding="utf-8")
    project = fleet.settings.name
    paths = sorted(
        (
            each.file(COMPOSE_FILE),
            [f"gateway/{name}/{each.name}.yaml" for name in added if each.name in added[name]],
        )
        for each in fleet.members
    )
    root = ROOT.format(
        mark=COMPOSE_MARK,
        image=ENVOY_IMAGE,
        # Without a name, Compose names the project after the folder.
        name=f"name: {project}\n\n" if project else "\n",
        includes="".join(f"\n  - {_included(*path)}" for path in paths) or " []",
        digest=digest("".join(gateway[file] for file in READ_ONCE))[7:19],
        volumes=_volumes(fleet.settings.gateway),
        ports=", ".join(_ports(fleet.settings.gateway)),
        hosts=_HOSTS if _reaches_this_machine(fleet) else "",
    )
    return {
        **agents_files(fleet.root),
        COMPOSE_FILE: root,
        **{f"gateway/{file}": text for file, text in sorted(gateway.items())},
    }


def _volumes(settings: GatewaySettings) -> str:
    volumes = """
      - ./gateway:/etc/gateway:ro
      # svcgen up gives a folder that also has the development issuer and the keys of this machine.
      - type: bind
        source: ${GATEWAY_ACCESS:-./gateway/access}
        target: /etc/gateway/access
        read_only: true"""
    if settings.tls is None:
        return volumes
    return f"""{volumes}
      # Outside gateway/, which is committed: it has the private key. `svcgen compose` writes it.
      - type: bind
        source: ./{MOUNTED}
        target: {ComposePlacement.secrets}
        read_only: true
        bind: {{create_host_path: false}}"""


def _ports(settings: GatewaySettings) -> Iterator[str]:
    yield f'"127.0.0.1:${{GATEWAY_PORT:-{settings.port}}}:8000"'
    if settings.http_port:
        yield f'"127.0.0.1:{settings.http_port}:{ComposePlacement.redirect_port}"'


# Docker Desktop defines the name by itself.
_HOSTS = f"""
    extra_hosts: ["{HOST_IN_CONTAINER}:host-gateway"]"""


def _reaches_this_machine(fleet: Fleet) -> bool:
    """Report whether an external service with routes is a program of this machine."""
    upstreams = fleet.external_upstreams
    return any(each.loopback or each.host == HOST_IN_CONTAINER for each in upstreams)


def digest(text: str) -> str:
    """Return the SHA-256 of a text, as manifest.json has it."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _included(path: str, added: Sequence[str]) -> str:
    """Return an entry of `include`: a service's file, alone or with what svcgen adds to it."""
    if not added:
        return _scalar(path)
    return f"path: [{', '.join([_scalar(path), *added])}]"


def _scalar(path: str) -> str:
    """Return a path as YAML and Compose read it: quoted where necessary, `$` doubled."""
    if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", path):
        return path
    return json.dumps(path.replace("$", "$$"), ensure_ascii=False)
