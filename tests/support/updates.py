"""Services of a small template with two versions, ready to be updated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.run import svcgen
from tests.support.templates import FIRST, SECOND, publish

__all__ = ["Make", "made", "own_cache", "text", "versions"]


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


@pytest.fixture
def made(versions: Path, tmp_path: Path) -> Make:
    """Return a function that writes a service of v1.0.0."""

    def new(name: str = "orders", within: Path = tmp_path, ref: str = "v1.0.0") -> Path:
        words = ("new", name, "--template", versions, "--ref", ref, "--yes")
        done = svcgen(*words, within=within)
        assert done.returncode == 0, done.stderr
        return within / name

    return new


def text(folder: Path, name: str) -> str:
    """Read one file of a service."""
    return (folder / name).read_text(encoding="utf-8")
