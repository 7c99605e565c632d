"""A release of a realistic size: nine managed files of each service, a lock, and a renamed file."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.fleet import evolution, lines
from tests.support.fleet.edits import MANIFESTS
from tests.support.fleet.story import STACKS
from tests.support.fleet.year import CI, DEPLOYMENT, HELPERS, NEXT, OLD, PDB, replaced_once

_SCAN = "\t@docker run --rm docker.io/aquasec/trivy image $$(docker compose config --images)\n"
_IN_EACH_STACK = {
    "Makefile": (
        (
            "\t@docker compose build\n\n",
            "\t@docker compose build\n\n"
            f".PHONY: scan\nscan: build ## scan the image for known faults\n{_SCAN}\n",
        ),
    ),
    "Dockerfile": (
        (
            '.revision="${REVISION}"\n',
            '.revision="${REVISION}" \\\n    org.opencontainers.image.licenses="proprietary"\n',
        ),
    ),
}
_SHARED = {
    f"{CI}.jinja": (
        ("      - run: make build\n", "      - run: make build\n      - run: make scan\n"),
        (
            "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
            f"actions/checkout@{'5e' * 20} # v7.1.0",
        ),
    ),
    DEPLOYMENT: (
        (
            "  revisionHistoryLimit: 5\n",
            "  revisionHistoryLimit: 5\n"
            "  minReadySeconds: {{ .Values.minReadySeconds | default 0 }}\n",
        ),
    ),
    HELPERS: (
        (
            "readiness: {httpGet: {path: /readyz, port: http}, ",
            "readiness: {httpGet: {path: /readyz, port: http}, timeoutSeconds: 2, ",
        ),
    ),
    "chart/values.schema.json": (
        (
            '    "replicas": {"type": "integer", "minimum": 0}, ',
            '    "minReadySeconds": {"type": "integer", "minimum": 0},\n'
            '    "replicas": {"type": "integer", "minimum": 0}, ',
        ),
    ),
    "README.md.jinja": (("| `HOST` | all interfaces |", "| `HOST` | all |"),),
}
_EXAMPLE = {name for stack in STACKS for name in (*stack.example, stack.registering)}
_SERVER = {
    "{{python}}/src/app/server.py.jinja": (
        ("from app import SERVICE, health", "from app import SERVICE, config, health"),
        ("def compose(settings: Settings)", "def compose(settings: config.Settings)"),
        ("timeout_keep_alive=75,", "timeout_keep_alive=90,"),
    ),
    "{{go}}/server.go": (
        ('\t"runtime/debug"\n', '\t"runtime/debug"\n\t"runtime/metrics"\n'),
        ("const grace = 20 * time.Second", "const grace = 25 * time.Second"),
    ),
    "{{typescript}}/src/server.ts": (
        ('import { once } from "node:events";\n', 'import { once } from "node:events";\n'
         'import { constants } from "node:http2";\n'),
        ("const GRACE = 20_000;", "const GRACE = 25_000;"),
    ),
    "{{java}}/src/main/java/{{path}}/Web.java.jinja": (
        ("import java.util.Map;\n", "import java.time.Duration;\nimport java.util.Map;\n"),
        ("/** Configuration that differs from", "/** The configuration that differs from"),
    ),
}  # fmt: skip


def write_versions(root: Path) -> dict[str, Path]:
    """Write the current template and the next release of it; return their folders by version."""
    folders = {version: root / version for version in (OLD, NEXT)}
    evolution.copy_template(folders[OLD])
    evolution.forget_answers(folders[OLD])
    shutil.copytree(folders[OLD], folders[NEXT])
    release(folders[NEXT] / "template")
    return folders


def release(template: Path) -> None:
    """Change a template as its next release does."""
    stacks = [template / f"{{{{{name}}}}}" for name in ("python", "go", "typescript", "java")]
    for name, changes in {**_SHARED, **_SERVER}.items():
        _change(template / name, changes)
    for stack in stacks:
        for name, changes in _IN_EACH_STACK.items():
            _change(stack / name, changes)
        ignored = next(stack.glob(".gitignore*"))
        ignored.write_text(f"{ignored.read_text()}.scan/\n")
    for path in sorted(template.rglob("*.*")):
        if path.name.removesuffix(".jinja") in _EXAMPLE:
            path.write_text(f"{path.read_text()}{lines.remark(path.name, 'newer example')}\n")
    renamed = (template / PDB).rename(template / "chart/templates/disruption.yaml")
    _change(
        renamed,
        (
            (
                "unhealthyPodEvictionPolicy",
                "# Also of one that is not ready.\n  unhealthyPodEvictionPolicy",
            ),
        ),
    )
    for pattern in (*MANIFESTS, "requirements*.txt", "go.sum", "package-lock.json"):
        for path in sorted(template.rglob(f"{pattern}*")):
            text = path.read_text(encoding="utf-8")
            for dependency in evolution.RAISED:
                text = lines.bump(text, dependency, 1)
            path.write_text(text, encoding="utf-8")


def _change(path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        text = replaced_once(text, old, new, path.name)
    path.write_text(text, encoding="utf-8")
