"""Workspaces written by hand: what `svcgen compose` reads of a service, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from svcgen.commands.compose import ComposeResult, check, compose
from svcgen.compose.fleet import FaultsError
from svcgen.service import variable
from svcgen.workspace import open_workspace

Edit = Callable[[dict[str, Any]], None]


def stack(name: str, calls: tuple[str, ...]) -> dict[str, Any]:
    urls = {f"{variable(c)}_URL": f"${{{variable(c)}_URL:-http://{c}:8080}}" for c in calls}
    own = {"image": f"{name}:dev", "environment": {"PORT": 8080, **urls}, "networks": ["platform"]}
    database = {
        "image": "postgres:18",
        "volumes": [f"{name}-db:/data"],
        "networks": [f"{name}-data"],
    }
    return {
        "services": {name: own, f"{name}-db": database},
        "networks": {"platform": {}, f"{name}-data": {"internal": True}},
        "volumes": {f"{name}-db": {}},
    }


def make(root: Path, name: str, calls: tuple[str, ...] = (), folder: str = "") -> Path:
    """Write what `compose` reads of a service, by hand: the format is the contract."""
    path = root / (folder or name)
    (path / "chart").mkdir(parents=True)
    answers = {"_src_path": "x", "_commit": "v0.1.0", "name": name, "stack": "python"}
    (path / ".copier-answers.yml").write_text(yaml.safe_dump(answers))
    route = {"path": f"/v1/{name}", "methods": ["GET", "POST"], "auth": "none"}
    registration = {
        "apiVersion": "svcgen.dev/v1",
        "service": name,
        "calls": list(calls),
        "routes": {name: route},
    }
    (path / "chart/registration.yaml").write_text(yaml.safe_dump(registration))
    (path / "compose.yaml").write_text(yaml.safe_dump(stack(name, calls)))
    operations: dict[str, Any] = {"/v1/{any}": {"get": {}, "post": {}}}
    (path / "openapi.json").write_text(json.dumps({"openapi": "3.1.0", "paths": operations}))
    return path


def edit(path: Path, change: Edit) -> None:
    written = yaml.safe_load(path.read_text())
    change(written)
    path.write_text(yaml.safe_dump(written))


def registration(folder: Path, **keys: Any) -> None:
    edit(folder / "chart/registration.yaml", lambda written: written.update(keys))


def route(folder: Path, **keys: Any) -> None:
    """Change the one route of a service made here."""
    edit(
        folder / "chart/registration.yaml",
        lambda written: next(iter(written["routes"].values())).update(keys),
    )


def stitch(root: Path, *only: str, **options: bool) -> ComposeResult:
    (root / "svcgen.yaml").touch()
    return compose(open_workspace(root), only, wait_applied=lambda _name: None, **options)


def inspect(root: Path, *only: str) -> ComposeResult:
    (root / "svcgen.yaml").touch()
    return check(open_workspace(root), only)


def faults(root: Path) -> list[str]:
    before = sorted(root.rglob("*"))
    with pytest.raises(FaultsError) as refusal:
        stitch(root)
    assert set(root.rglob("*")) - set(before) <= {root / "svcgen.yaml"}, "nothing is written"
    return [str(fault) for fault in refusal.value.faults]
