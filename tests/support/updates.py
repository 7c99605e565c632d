"""Services of a small template with two versions, ready to be updated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.run import svcgen
from tests.support.templates import FIRST, SECOND, publish

__all__ = ["Make", "created", "made", "own_cache", "text", "versions"]


Make = Callable[..., Path]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a template with the versions v1.0.0 and v1.1.0."""
    template = tmp_path_factory.mktemp("company") / "template"
    publish(template, "v1.0.0", FIRST)
    return publish(template, "v1.1.0", SECOND)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep fetched templates out of the user's cache."""
    monkeypatch.setenv("SVCGEN_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "svcgen-cache"))


@pytest.fixture(scope="module")
def created(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that creates a service once, by its name and version."""
    root = tmp_path_factory.mktemp("created")

    def create(name: str, ref: str) -> Path:
        folder = root / ref
        folder.mkdir(exist_ok=True)
        if not (folder / name).exists():
            words = ("new", name, "--template", versions, "--ref", ref, "--yes")
            done = svcgen(*words, within=folder)
            assert done.returncode == 0, done.stderr
        return folder / name

    return create


@pytest.fixture
def made(created: Make, tmp_path: Path) -> Make:
    """Return a function that writes a service of v1.0.0: a copy of one that was created once."""

    def new(name: str = "orders", within: Path = tmp_path, ref: str = "v1.0.0") -> Path:
        return shutil.copytree(created(name, ref), within / name)

    return new


def text(folder: Path, name: str) -> str:
    """Read one file of a service."""
    return (folder / name).read_text(encoding="utf-8")
