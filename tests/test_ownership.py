"""A command refuses files of another user, where it would run programs from them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.run import svcgen
from tests.support.workspaces import make

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")

OTHER = 65534


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make(tmp_path, "orders")
    (tmp_path / "svcgen.yaml").touch()
    (tmp_path / "compose.override.yaml").write_text("services: {}\n")
    (tmp_path / ".svcgen").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "foreign",
    [
        ".",
        "svcgen.yaml",
        ".svcgen",
        "compose.override.yaml",
        "orders",
        "orders/compose.yaml",
        "orders/chart/registration.yaml",
    ],
)
@pytest.mark.parametrize(
    ("words", "below"),
    [(("routes",), "."), (("drift",), "orders")],
)
def test_files_of_another_user_are_refused_and_named(
    shop: Path, foreign: str, words: tuple[str, ...], below: str
) -> None:
    os.chown(shop / foreign, OTHER, OTHER)
    done = svcgen(*words, within=shop / below)
    assert done.returncode == 1, done.stdout
    assert f"{shop / foreign} belongs to nobody, and you are root." in done.stderr
    assert f"git config --global --add safe.directory {shop}" in done.stderr


def test_a_workspace_above_is_refused_before_a_service_is_written(tmp_path: Path) -> None:
    os.chown(make(tmp_path, "evil"), OTHER, OTHER)
    (tmp_path / "svcgen.yaml").touch()
    os.chown(tmp_path / "svcgen.yaml", OTHER, OTHER)
    mine = tmp_path / "mine"
    mine.mkdir()
    done = svcgen("new", "orders", "--yes", within=mine)
    assert "svcgen.yaml belongs to nobody" in done.stderr
    assert not list(mine.iterdir())


def test_a_link_of_another_user_is_refused(shop: Path) -> None:
    (shop / "compose.override.yaml").unlink()
    (shop / "own.yaml").touch()
    link = shop / "compose.override.yaml"
    link.symlink_to("own.yaml")
    os.chown(link, OTHER, OTHER, follow_symlinks=False)
    assert f"{link} belongs to nobody" in svcgen("routes", within=shop).stderr


@pytest.mark.parametrize(
    ("entries", "allowed"),
    [
        (["SHOP"], True),
        (["ABOVE/*"], True),
        (["*"], True),
        (["ABOVE"], False),
        (["SHOP", ""], False),
        (["SHOPPING"], False),
    ],
)
def test_the_setting_of_git_allows_it(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, entries: list[str], allowed: bool
) -> None:
    settings = tmp_path_factory.mktemp("home") / "gitconfig"
    lines = [
        entry.replace("SHOP", str(shop)).replace("ABOVE", str(shop.parent)) for entry in entries
    ]
    text = "".join(f'\tdirectory = "{line}"\n' for line in lines)
    settings.write_text(f"[safe]\n{text}")
    os.chown(shop, OTHER, OTHER)
    os.chown(shop / "orders", OTHER, OTHER)
    done = svcgen("routes", within=shop, GIT_CONFIG_GLOBAL=str(settings))
    assert (done.returncode == 0) == allowed, done.stderr


def test_a_repository_cannot_allow_itself(shop: Path) -> None:
    (shop / ".git").mkdir()
    (shop / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (shop / ".git" / "config").write_text("[safe]\n\tdirectory = *\n")
    os.chown(shop, OTHER, OTHER)
    assert svcgen("routes", within=shop).returncode == 1


@pytest.mark.parametrize(("user", "code"), [(str(OTHER), 0), ("1", 1), ("", 1)])
def test_root_below_sudo_may_use_the_files_of_the_user(shop: Path, user: str, code: int) -> None:
    for path in (shop, *shop.rglob("*")):
        shutil.chown(path, OTHER)
    assert svcgen("routes", within=shop, SUDO_UID=user).returncode == code
