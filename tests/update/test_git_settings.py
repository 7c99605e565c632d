"""What git and the machine are set to, and what a user may stand in: no edit lost, no traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.run import INTERRUPTED, SOMEBODY, answered, svcgen, svcgen_process
from tests.support.templates import FIRST, SECOND, commit, git, in_git, publish
from tests.support.templates import write as put
from tests.support.updates import own_cache, text, versions

__all__ = ["own_cache", "versions"]

COMMAND = f"{sys.executable} -m svcgen"
Settings = dict[str, str]


@pytest.fixture(scope="module")
def made_once(versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two services of v1.0.0."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("orders", "catalog"):
        words = ("new", name, "--template", versions, "--ref", "v1.0.0", "--yes")
        assert svcgen(*words, within=folder).returncode == 0
    return folder


@pytest.fixture
def shop(made_once: Path, tmp_path: Path) -> Path:
    """Return a repository with both services."""
    shutil.copytree(made_once, tmp_path / "shop")
    return in_git(tmp_path / "shop")


def configured(folder: Path, settings: Settings) -> str:
    """Write a user's git settings; return the file, for GIT_CONFIG_GLOBAL."""
    file = folder / "gitconfig"
    for name, value in settings.items():
        subprocess.run(["git", "config", "--file", file, name, value], check=True)
    return str(file)


def hook(repository: Path, name: str, script: str) -> None:
    file = repository / ".git" / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


LOUD = {
    "color.ui": "always",
    "column.ui": "always",
    "core.autocrlf": "true",
    "core.eol": "crlf",
    "core.safecrlf": "true",
    "diff.context": "0",
    "diff.external": "false",
    "diff.noprefix": "true",
    "diff.up.textconv": "rev",
    "filter.up.smudge": "tr a-z A-Z",
    "status.showUntrackedFiles": "no",
}


def test_a_users_git_settings_change_nothing(shop: Path, tmp_path: Path) -> None:
    patch = svcgen("update", "--all", "--dry-run", within=shop).stdout
    (tmp_path / "attributes").write_text("* text=auto\nDockerfile filter=up diff=up\n")
    attributes = {"core.attributesFile": str(tmp_path / "attributes")}
    settings = configured(tmp_path, {**LOUD, **attributes})
    # A cache of its own: the template is taken out of git under these settings.
    variables = {"GIT_CONFIG_GLOBAL": settings, "SVCGEN_CACHE_DIR": str(tmp_path / "cache")}
    loud = svcgen("update", "--all", "--dry-run", "--force", within=shop, **variables)
    assert loud.stdout == patch
    put(shop, {"orders/own.py": "own = 1\n"})
    assert "own.py" in svcgen("update", "orders", within=shop, **variables).stderr


KEPT: dict[str, tuple[tuple[str, ...], Settings]] = {
    "assume-unchanged": (("update-index", "--assume-unchanged", "orders/Makefile"), {}),
    "skip-worktree": (("update-index", "--skip-worktree", "orders/Makefile"), {}),
    "GIT_LITERAL_PATHSPECS": (("status",), {"GIT_LITERAL_PATHSPECS": "1"}),
}


@pytest.mark.parametrize("reason", KEPT)
def test_drift_restores_no_edit_that_git_ignores(reason: str, shop: Path) -> None:
    words, variables = KEPT[reason]
    git(*words, within=shop)
    put(shop, {"orders/Makefile": "mine:\n"})
    done = svcgen("drift", "--fix", within=shop, **variables)
    assert "is in no commit" in done.stderr
    assert text(shop, "orders/Makefile") == "mine:\n"


def break_index(shop: Path) -> None:
    (shop / ".git/index").write_bytes(b"junk")


def break_settings(shop: Path) -> None:
    (shop / ".git/config").write_text("[broken")


def check_out_a_part(shop: Path) -> None:
    git("sparse-checkout", "set", "--no-cone", "/*", "!/orders/Makefile", within=shop)


def give_away(shop: Path) -> None:
    os.chown(shop, 4711, -1)
    os.chown(shop / ".git", 4711, -1)


def forget_who(_shop: Path) -> None:
    """Leave it to the settings of the test below."""


NOBODY = {**dict.fromkeys(SOMEBODY, ""), "EMAIL": ""}
ANONYMOUS = {
    **NOBODY,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "user.useConfigOnly",
    "GIT_CONFIG_VALUE_0": "true",
}
REFUSED: dict[str, tuple[Callable[[Path], None], Settings, str]] = {
    "a broken index": (break_index, {}, "index file"),
    "broken settings": (break_settings, {}, "bad config"),
    "a sparse checkout": (check_out_a_part, {}, "sparse-checkout add orders"),
    "another user's repository": (give_away, {}, "safe.directory"),
    "nobody": (forget_who, ANONYMOUS, "user.name and user.email"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_git_cannot_tell_is_not_taken_for_clean(reason: str, shop: Path) -> None:
    spoil, variables, message = REFUSED[reason]
    if reason.startswith("another") and os.geteuid():
        pytest.skip("only root can give a folder away")
    spoil(shop)
    words = ("--commit",) if reason == "nobody" else ()
    done = svcgen("update", "orders", *words, within=shop, **variables)
    assert done.returncode == 1, done.stdout
    assert message in done.stderr
    assert "v1.0.0" in text(shop, "orders/.copier-answers.yml")


def test_drift_tells_what_is_missing_from_what_is_not_checked_out(shop: Path) -> None:
    check_out_a_part(shop)
    done = svcgen("drift", "orders", within=shop)
    assert (done.returncode, "sparse-checkout add orders" in done.stderr) == (1, True)


def test_a_hook_of_its_commit_may_look_at_the_service(shop: Path) -> None:
    hook(
        shop,
        "pre-commit",
        f"{COMMAND} drift orders; {COMMAND} update orders; {COMMAND} update orders --abort; true",
    )
    done = svcgen("update", "orders", "--commit", within=shop)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=shop) == ""
    assert "v1.1.0" in text(shop, "orders/.copier-answers.yml")


def test_what_a_hook_mends_is_committed_and_no_change_afterwards(shop: Path) -> None:
    hook(shop, "pre-commit", "echo '# ours' >> orders/Makefile; git add orders/Makefile")
    assert svcgen("update", "orders", "--commit", within=shop).returncode == 0
    assert git("status", "--porcelain", within=shop) == ""
    assert "# ours" in git("show", "HEAD:orders/Makefile", within=shop)


def test_a_hook_that_fails_after_the_switch_leaves_no_half_update(shop: Path) -> None:
    hook(shop, "post-checkout", "echo git-lfs was not found >&2; exit 2")
    done = svcgen("update", "orders", "--branch", "newer", within=shop)
    assert done.returncode == 0, done.stderr
    assert git("log", "-1", "--format=%s", "newer", within=shop).startswith("Update orders")
    assert git("status", "--porcelain", within=shop) == ""


def test_two_updates_at_once_commit_each_on_its_own_branch(shop: Path) -> None:
    hook(shop, "pre-commit", "sleep 0.5")
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "svcgen", "update", name, "--branch", f"to-{name}"],
            cwd=shop,
            env={**os.environ, **SOMEBODY},
            stdout=subprocess.DEVNULL,
        )
        for name in ("orders", "catalog")
    ]
    assert [one.wait() for one in begun] == [0, 0]
    for name in ("orders", "catalog"):
        message = git("log", "-1", "--format=%s", f"to-{name}", within=shop)
        assert message.startswith(f"Update {name} ")


ODD = [":(top)", "a*\n ünï "]


@pytest.mark.parametrize("name", ODD)
def test_a_folder_may_have_any_name(name: str, shop: Path) -> None:
    odd = shop / name
    odd.mkdir()
    git("mv", "--", "orders", f"./{name}/orders", within=shop)
    put(shop, {"abc/orders/other": "1\n"})
    commit(shop)
    put(shop, {"abc/orders/other": "2\n"})
    done = svcgen("update", "--commit", within=odd / "orders")
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=shop) == " M abc/orders/other\n"


def test_a_repository_may_have_any_name(shop: Path) -> None:
    odd = shop.rename(shop.with_name(os.fsdecode(b"latin-\xe9 ")))
    done = svcgen("update", "orders", "--commit", within=odd)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=odd) == ""


def test_a_service_that_is_listed_by_a_link_is_committed(shop: Path) -> None:
    (shop / "deep").mkdir()
    git("mv", "orders", "deep/orders", within=shop)
    (shop / "link").symlink_to("deep/orders")
    put(shop, {"svcgen.yaml": "folders: [link, deep/../catalog]\n"})
    commit(shop)
    done = svcgen("update", "--all", "--commit", within=shop)
    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", within=shop) == ""


def test_where_git_keeps_no_modes_they_are_no_edit(shop: Path) -> None:
    git("config", "core.fileMode", "false", within=shop)
    for path in (shop / "orders").rglob("*"):
        path.chmod(0o755)
    assert "No drift" in svcgen("drift", "orders", within=shop).stdout
    (outcome,) = answered(svcgen("update", "orders", "--json", within=shop))["services"]
    assert not outcome["lock_needed"]
    assert (shop / "orders/Dockerfile").stat().st_mode & 0o111


def closed_stream(stream: str) -> list[str]:
    return ["sh", "-c", f'exec "$@" {stream}', "sh", sys.executable, "-m", "svcgen"]


CLOSED = {
    "new stock --template": ("<&-", 0),
    "update": ("<&-", 1),
    "update --all": ("<&- 2>&-", 0),
}


@pytest.mark.parametrize("words", CLOSED)
def test_a_stream_may_be_closed(words: str, shop: Path, versions: Path) -> None:
    stream, code = CLOSED[words]
    source = [str(versions)] if "template" in words else []
    command = [*closed_stream(stream), *words.split(), *source]
    done = subprocess.run(command, cwd=shop, capture_output=True, env={**os.environ, **SOMEBODY})
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


def without_home(shop: Path) -> subprocess.CompletedProcess[str]:
    (shop / "sitecustomize.py").write_text(
        "import os, pwd\ndef nobody(_): raise KeyError\npwd.getpwuid = nobody\n"
        "os.environ.pop('HOME', None)\n"
    )
    variables = {"PYTHONPATH": str(shop), "SVCGEN_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    return svcgen_process("new", "stock", "--yes", within=shop, **variables)


def in_a_folder_that_is_gone(shop: Path) -> subprocess.CompletedProcess[str]:
    words = f"mkdir gone && cd gone && rmdir ../gone && {COMMAND} list"
    return subprocess.run(words, shell=True, cwd=shop, capture_output=True, text=True)


DENIED: dict[str, tuple[Callable[[Path], subprocess.CompletedProcess[str]], str]] = {
    "a long name": (lambda shop: svcgen("new", "a", "b" * 300, within=shop), "too long"),
    "a template of nobody's": (
        lambda shop: svcgen("new", "a", "--template", "~nobody-here/x", within=shop),
        "no folder ~nobody-here",
    ),
    "a file for a folder": (
        lambda shop: svcgen("new", "a", "orders/Makefile/a", within=shop),
        "Makefile",
    ),
    "no home": (without_home, "SVCGEN_CACHE_DIR"),
    "no folder": (in_a_folder_that_is_gone, "no longer exists"),
}


@pytest.mark.parametrize("what", DENIED)
def test_what_the_machine_denies_is_an_error(what: str, shop: Path) -> None:
    run, message = DENIED[what]
    done = run(shop)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


MASKED = [
    sys.executable,
    "-c",
    "import os, sys; os.umask(int(sys.argv.pop(1))); from svcgen.cli.app import main; main()",
]
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.fixture
def as_anybody() -> list[str]:
    """Return what begins a command that obeys permissions, as root would not."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not on PATH")
    return WITHOUT_RIGHTS


def run_as(start: list[str], *words: str, within: Path) -> subprocess.CompletedProcess[str]:
    command = [*start, sys.executable, "-m", "svcgen", *words]
    return subprocess.run(command, cwd=within, capture_output=True, text=True)


def test_what_is_closed_to_us_stops_nothing_else(as_anybody: list[str], shop: Path) -> None:
    closed = shop / "data"
    closed.mkdir()
    closed.chmod(0o600)
    (shop / "orders/.copier-answers.yml").chmod(0)
    done = run_as(as_anybody, "update", "--all", within=shop)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "cannot be read" in done.stderr
    assert "v1.1.0" in text(shop, "catalog/.copier-answers.yml")


def test_what_cannot_be_written_leaves_all_as_it_was(as_anybody: list[str], tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", FIRST)
    changed = {**SECOND, "template/src/health.py": "def ready():\n    return False\n"}
    publish(template, "v1.1.0", changed)
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    (orders / "src").chmod(0o555)
    done = run_as(as_anybody, "update", within=orders)
    (orders / "src").chmod(0o755)
    assert done.returncode == 1
    assert "Nothing has changed" in done.stderr
    assert git("status", "--porcelain", within=orders) == ""
    assert not list(orders.glob(".svcgen-*"))


def test_a_services_files_are_as_open_as_their_user_wants(versions: Path, tmp_path: Path) -> None:
    cache = {"SVCGEN_CACHE_DIR": str(tmp_path / "cache")}
    for mask in (0o077, 0o022):  # the first fills the cache
        words = [*MASKED, f"{mask}", "new", f"by-{mask}", "--template", str(versions), "--yes"]
        subprocess.run(words, cwd=tmp_path, env={**os.environ, **SOMEBODY, **cache}, check=True)
        assert (tmp_path / f"by-{mask}/Dockerfile").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("form", ["shallow", "sha256"])
def test_a_template_may_be_any_repository(form: str, tmp_path: Path) -> None:
    template = publish(tmp_path / "template", "v1.0.0", FIRST)
    commit(template, "later")
    if form == "shallow":
        words = ("clone", "--quiet", "--depth", "1", template.as_uri(), "source")
        git(*words, within=tmp_path)
    else:
        shutil.rmtree(template / ".git")
        git("init", "--quiet", "--object-format=sha256", within=template)
        commit(template)
        template.rename(tmp_path / "source")
    done = svcgen("new", "orders", "--template", "source", "--yes", within=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_command_that_is_killed_takes_its_workers_along(shop: Path) -> None:
    for name in ("orders", "catalog"):
        put(shop / name, {"Makefile": "lint test:\n\tsleep 5\n"})
    commit(shop)
    command = [sys.executable, "-m", "svcgen", "update", "--all", "--test"]
    begun = subprocess.Popen(command, cwd=shop, env={**os.environ, **SOMEBODY})
    assert soon(lambda: len(children(begun.pid)) > 1)
    workers = children(begun.pid)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    assert soon(lambda: not any(Path("/proc", one).exists() for one in workers))


def test_a_commit_that_is_broken_off_leaves_branch_and_index(shop: Path) -> None:
    hook(shop, "pre-commit", "sleep 30")
    begun = subprocess.Popen(
        [*INTERRUPTED, "update", "orders", "--branch", "newer"],
        cwd=shop,
        env={**os.environ, **SOMEBODY},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert soon(lambda: (shop / ".git/refs/heads/newer").exists() and staged(shop) != "")
    os.killpg(begun.pid, signal.SIGINT)
    _, message = begun.communicate()
    assert b"undoes" in message
    assert git("branch", "--list", within=shop) == "* main\n"
    assert staged(shop) == ""
    (shop / ".git/hooks/pre-commit").unlink()
    assert svcgen("update", "orders", "--branch", "newer", within=shop).returncode == 0
    assert git("status", "--porcelain", within=shop) == ""


def staged(folder: Path) -> str:
    return git("diff", "--cached", "--name-only", within=folder)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def soon(holds: Callable[[], bool]) -> bool:
    """Tell whether something comes to hold within ten seconds."""
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.1)
    return False
