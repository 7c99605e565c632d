"""A small template with versions, kept in git as a company keeps its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.run import SOMEBODY

Files = Mapping[str, str | bytes | None]  # None: the file goes

COPIER_YML = """\
_subdirectory: template
_envops: {undefined: jinja2.StrictUndefined, keep_trailing_newline: true}
_exclude: ["{% if _copier_operation == 'update' %}/src/store.py{% endif %}"]
_svcgen:
  manifests: {pyproject.toml: [requirements.txt]}
name: {type: str}
stack: {type: str, default: python}
database: {type: str, choices: [none, postgres], default: none}
"""
ANSWERS = "# Written by Copier; an update replaces it.\n{{ _copier_answers|to_nice_yaml -}}\n"
FIRST: Files = {
    "copier.yml": COPIER_YML,
    "CHANGELOG.md": "# Changelog\n\n## v1.0.0 - 2026-01-01\n\n### Template\n\n- All of it.\n",
    "template/{{_copier_conf.answers_file}}.jinja": ANSWERS,
    "template/chart/registration.yaml.jinja": "apiVersion: svcgen.dev/v1\nroutes: {}\n",
    "template/README.md.jinja": "# {{ name }}\n\nOne.\n\nTwo.\n\nThree.\n",
    "template/Dockerfile": "FROM scratch\n\nUSER 65532\n\nCOPY . /\n\nCMD one\n",
    "template/Makefile": "lint test lock generate:\n\t@true\n",
    "template/pyproject.toml": '[project]\ndependencies = [\n    "web==1.0",\n    "log==1.0",\n]\n',
    "template/requirements.txt": "web==1.0\nlog==1.0\n",
    "template/src/store.py": "STORE = {}\n",
    "template/src/health.py": "def ready():\n    return True\n",
}
SECOND: Files = {
    "CHANGELOG.md": "# Changelog\n\n## v1.1.0 - 2026-02-01\n\n### Template\n\n- A newer command.\n",
    "template/Dockerfile": "FROM scratch\n\nUSER 65532\n\nCOPY . /\n\nCMD two\n",
    "template/pyproject.toml": '[project]\ndependencies = [\n    "web==2.0",\n    "log==1.0",\n]\n',
    "template/requirements.txt": "web==2.0\nlog==1.0\n",
    "template/src/store.py": "STORE = {1: 1}\n",
    "template/src/telemetry.py": "TRACES = True\n",
}


def git(*words: str | Path, within: Path) -> str:
    """Run git as somebody, whatever this machine's settings are."""
    environment = {**os.environ, **SOMEBODY, "GIT_CONFIG_GLOBAL": os.devnull}
    command = ("git", "-c", "init.defaultBranch=main", *words)
    done = subprocess.run(command, cwd=within, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: Files) -> None:
    """Put files below a folder; None removes one."""
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def publish(template: Path, version: str, files: Files) -> Path:
    """Commit files to a template and tag them as a version."""
    if not template.exists():
        template.mkdir(parents=True)
        git("init", "--quiet", within=template)
    write(template, files)
    commit(template, version)
    git("tag", version, within=template)
    return template


def commit(folder: Path, message: str = "edit") -> None:
    """Commit all that a folder has."""
    git("add", "--all", within=folder)
    git("commit", "--quiet", "--allow-empty", f"--message={message}", within=folder)


def in_git(folder: Path) -> Path:
    """Make a folder a repository with one commit."""
    git("init", "--quiet", within=folder)
    commit(folder, "made")
    return folder
