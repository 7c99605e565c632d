"""`svcgen adopt`: make an existing service a member of the workspace, without a template.

Only files that are missing are written. The registration is the last one: with it, the folder is a
service, so the same command finishes a killed run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.commands.new import default_answers, workspace_of
from svcgen.compose.callers import callers_with, current_callers
from svcgen.compose.write import inspect_fleet
from svcgen.errors import SvcgenError
from svcgen.files import read_text, write_atomic
from svcgen.gateway.paths import path_problem, reserved_problem
from svcgen.gateway.registration import read_registration
from svcgen.merge.files import File, read_tree, write_file
from svcgen.render.render import check_answers, render_version
from svcgen.service import (
    ANSWERS_FILE,
    CALLERS_FILE,
    COMPOSE_FILE,
    OPENAPI_FILE,
    REGISTRATION_FILE,
    has_template,
    is_service,
    url_variable,
)
from svcgen.templates.sources import open_source
from svcgen.workspace import Workspace, open_workspace
from svcgen.yaml_files import parse_documents

PORT, HEALTH = 8080, "/readyz"  # as in the contract
CHART_FILE = "chart/Chart.yaml"
DOCKERFILE, MAKEFILE = "Dockerfile", "Makefile"
OVERRIDE_FILE = "compose.override.yaml"
LAST_PORT = 65535
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d{1,5})", re.MULTILINE | re.IGNORECASE)
_OVERRIDE = """\
# Used only if the service runs alone, not if another file includes it.
services:
  {name}:
    ports: ["127.0.0.1:${{PORT:-8080}}:{port}"]
"""
_COMPOSE = """\
# The service in Docker. Run it alone with `docker compose up`; `svcgen compose` includes this file.
services:
  {name}:
    image: ${{REGISTRY:-{registry}}}/{name}:${{VERSION:-dev}}
    build: .
    environment:
      PORT: {port}
{urls}    networks: [platform]
    restart: unless-stopped
    stop_grace_period: 30s
    logging: {{driver: json-file, options: {{max-size: 10m, max-file: "3"}}}}

networks:
  platform: {{}}
"""
_REGISTRATION = """\
# yaml-language-server: $schema=https://raw.githubusercontent.com/svcgen/svcgen/main/docs/registration.schema.json
# The routes of this service, for its chart, `svcgen compose` and `svcgen routes`.
apiVersion: svcgen.dev/v1
service: {name}
calls: {calls} # called services, for environment variables, NetworkPolicy and checks
upstream: {{port: {port}, health: {{http: {health}}}}}
routes:
  {name}:
    path: {route} # a prefix of whole segments
    auth: none # no authentication; must be explicit
    expose: gateway # internal: not reachable through the gateway
"""
# Lines of the chart's values that are about the template's own services.
_VALUES = (
    (r"^replicas: .*$", "replicas: 1 # ignored if autoscaling is enabled"),
    (
        r"^testCommand: .*$",
        "testCommand: [] # an HTTP client in the image, such as [curl, --fail]; "
        "helm test appends the URL",
    ),
    (r"^  (requests|limits): .*$", r"  \1: {memory: 512Mi} # a guess: measure the service"),
)


@dataclass(frozen=True)
class Wishes:
    """What the files of an adopted service say about it; empty is the default."""

    name: str = ""
    port: int = 0
    route: str = ""
    health: str = HEALTH
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdoptResult:
    """The adopted service: files that were written, and those that existed and stay.

    `faults` are what does not fit together in the workspace. `runs_locally` is whether it has a
    Makefile with the goals that the local engine needs.
    """

    name: str
    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    changed: tuple[Path, ...]
    faults: tuple[str, ...]
    runs_locally: bool

    @property
    def target(self) -> str:
        """What `svcgen verify` checks: the folder, or an image that is to be built from it."""
        return str(self.folder) if self.runs_locally else f"{self.name}:verify"

    @property
    def verify(self) -> tuple[str, ...]:
        """The words of the command that checks the contract."""
        service = () if self.runs_locally else ("--service", str(self.folder))
        return ("svcgen", "verify", self.target, *service)


def suggest(folder: Path, wishes: Wishes) -> Wishes:
    """Return wishes with a default for each that is empty: of the folder, and of its Dockerfile.

    Raises SvcgenError when the folder cannot be adopted.
    """
    folder = folder.absolute()
    if not (folder / DOCKERFILE).is_file():
        raise SvcgenError(
            f"{folder} has no {DOCKERFILE}, so svcgen cannot run it.",
            "Write one, or name the folder of a service.",
        )
    if has_template(folder):
        raise SvcgenError(f"{folder} was made from a template.", "svcgen list shows the services.")
    exposed = _EXPOSE.findall(read_text(folder / DOCKERFILE) or "")
    name, registration = wishes.name or folder.name, folder / REGISTRATION_FILE
    port = wishes.port or (int(exposed[-1]) if exposed else PORT)
    route, health, calls = wishes.route or f"/v1/{name}", wishes.health, wishes.calls
    if is_service(folder):  # its own registration counts
        found = read_registration(registration)
        name, port, calls = found.service, found.upstream.port, found.calls
        health = found.upstream.health.http or HEALTH
    return Wishes(name, port, route, health, calls)


def adopt(folder: Path, wishes: Wishes) -> AdoptResult:
    """Write registration, compose.yaml, chart and openapi.json of a service, where missing.

    Raises SvcgenError, with nothing written, for a name, route or path that cannot be used, and
    when svcgen would not find the service.
    """
    folder = folder.absolute()
    workspace = _workspace(folder, wishes.name)
    if not 0 < wishes.port <= LAST_PORT:
        raise SvcgenError(f"{wishes.port} is not a port.", "Name that of the server with --port.")
    _require_paths(wishes)
    files = _files(wishes, workspace)
    existing = _kept(folder, files)
    callers = callers_with(wishes.name, wishes.calls, workspace.services)
    for path in sorted(files.keys() - existing, key=lambda path: (path == REGISTRATION_FILE, path)):
        write_file(folder, path, files[path])
    for caller_file, text in callers.items():
        write_atomic(caller_file, text)
    made = inspect_fleet(open_workspace(workspace.root))
    return AdoptResult(
        name=wishes.name,
        folder=folder,
        written=tuple(sorted(files.keys() - existing)),
        kept=tuple(sorted(path for path in existing if (folder / path).exists())),
        changed=tuple(callers),
        faults=tuple(map(str, made.faults)),
        runs_locally=_has_goals(folder),
    )


def _kept(folder: Path, files: Iterable[str]) -> set[str]:
    """Return the files that exist, and those that would not fit to them.

    An own chart is kept as a whole, and so are the files of `docker compose`.
    """
    existing = {path for path in files if os.path.lexists(folder / path)}
    if CHART_FILE in existing:
        own = {path for path in files if path.startswith("chart/")}
        existing |= own - {REGISTRATION_FILE, CALLERS_FILE}
    return existing | ({OVERRIDE_FILE} if COMPOSE_FILE in existing else set())


def _workspace(folder: Path, name: str) -> Workspace:
    for parent in folder.parents:
        if is_service(parent):
            raise SvcgenError(f"{folder} is inside the service {parent}: svcgen would not find it.")
    check_answers({"name": name})
    workspace = workspace_of(folder)
    for service in workspace.services:
        if service.name == name and service.folder != folder.resolve():
            raise SvcgenError(
                f'The name "{name}" is used by {service.folder}.', "Choose another one: --name NAME"
            )
    return workspace


def _require_paths(wishes: Wishes) -> None:
    problem = path_problem(wishes.route, prefix=True) or reserved_problem(wishes.route)
    if problem:
        raise SvcgenError(f"The route {wishes.route} {problem}.", "For example: --route /v1/orders")
    if not re.fullmatch(r"/[\w./~-]*", wishes.health):
        raise SvcgenError(f"'{wishes.health}' is not a path.", "For example: --health /healthz")


def _files(wishes: Wishes, workspace: Workspace) -> dict[str, File]:
    """Return all files that a service has without a template, by path."""
    version = open_source().obtain()
    answers = {"name": wishes.name, "calls": list(wishes.calls)}
    defaults = default_answers(workspace, version).values
    with TemporaryDirectory(prefix="svcgen-") as temporary:
        made = render_version(
            version, Path(temporary, wishes.name), answers, defaults=dict(defaults)
        )
        rendered = read_tree(made)
    registry = parse_documents(rendered[ANSWERS_FILE].content.decode())[0]["registry"]
    files = {path: file for path, file in rendered.items() if path.startswith("chart/")}
    texts = {
        REGISTRATION_FILE: _REGISTRATION.format(
            name=wishes.name,
            calls=json.dumps(list(wishes.calls)),
            port=wishes.port,
            health=wishes.health,
            route=wishes.route,
        ),
        COMPOSE_FILE: _COMPOSE.format(
            name=wishes.name,
            registry=registry,
            port=wishes.port,
            urls="".join(_url_line(callee, workspace) for callee in wishes.calls),
        ),
        OVERRIDE_FILE: _OVERRIDE.format(name=wishes.name, port=wishes.port),
        OPENAPI_FILE: _document(wishes),
        "chart/values.yaml": _values(files["chart/values.yaml"].content.decode()),
    }
    for path, file in files.items():
        if path.startswith("chart/templates/") and wishes.health != HEALTH:
            text = re.sub(r"(?<=[:0 ])/(livez|readyz)\b", wishes.health, file.content.decode())
            texts[path] = text
    own = [each.name for each in workspace.services if wishes.name in each.calls]
    if text := current_callers(None, own, ()) or "":
        texts[CALLERS_FILE] = text
    return files | {path: File(text.encode()) for path, text in texts.items()}


def _url_line(callee: str, workspace: Workspace) -> str:
    key, port = url_variable(callee), PORT
    for service in workspace.services:
        if service.name == callee:
            port = read_registration(service.registration).upstream.port
    return f"      {key}: ${{{key}:-http://{callee}:{port}}}\n"


def _document(wishes: Wishes) -> str:
    """Return a document with one operation a route, in the place of the service's own."""
    answer = {"200": {"description": "A response of the service."}}
    paths = {wishes.route: {"get": {"responses": answer}}}
    note = "Written by `svcgen adopt`. Replace it by the document of the service."
    info = {"title": wishes.name, "version": "0.1.0", "description": note}
    document = {"openapi": "3.1.0", "info": info, "paths": paths}
    return json.dumps(document, indent=2) + "\n"


def _values(text: str) -> str:
    for pattern, line in _VALUES:
        text = re.sub(pattern, line, text, flags=re.MULTILINE)
    return text


def _has_goals(folder: Path) -> bool:
    """Report whether a Makefile has what the local engine runs."""
    text = read_text(folder / MAKEFILE) or ""
    targets = re.findall(r"^([^\t#:=][^:=]*):", text, re.MULTILINE)
    return {"run", "migrate"} <= {goal for line in targets for goal in line.split()}
