"""`make release`: the same bytes each time, and nothing cut that is not ready for it."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from scripts.release import cut_release
from svcgen.errors import SvcgenError
from tests.support.releases import HEAD, change, checkout, release, tell
from tests.support.repository import REPOSITORY
from tests.support.small_template import COPIER, FILES
from tests.support.templates import commit, git, in_git, write

TARGETS = "run:\n\t./run\n\ntest:\n\t./test\n\nlint:\n\t./lint\n\nbuild:\n\t./build\n"


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with v1.0.0, and what v1.1.0 is to have."""
    folder = checkout(tmp_path_factory.mktemp("source") / "svcgen")
    release(folder, "v1.0.0")
    change(folder, "one more line")
    tell(folder, "v1.1.0")
    return folder


@pytest.fixture
def clone(source: Path, tmp_path: Path) -> Path:
    git("clone", "--quiet", source, "clone", within=tmp_path)
    (tmp_path / "releases.bundle").write_bytes(source.with_suffix(".bundle").read_bytes())
    return tmp_path / "clone"


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def test_the_same_release_has_the_same_bytes(clone: Path, tmp_path: Path) -> None:
    """Also in a checkout that is packed in another way, and whose git has other settings."""
    bundle = tmp_path / "releases.bundle"
    first = digest(bundle)
    cut_release(clone, "v1.1.0", bundle)
    both = digest(bundle)
    git("gc", "--quiet", "--aggressive", within=clone)
    git("config", "core.autocrlf", "true", within=clone)
    git("config", "pack.compression", "0", within=clone)
    git("checkout", "--quiet", ":/^v1.0.0", within=clone)
    bundle.unlink()
    cut_release(clone, "v1.0.0", bundle)
    assert digest(bundle) == first != both
    git("checkout", "--quiet", ":/^v1.1.0", within=clone)
    cut_release(clone, "v1.1.0", bundle)
    assert digest(bundle) == both


def test_a_release_holds_the_template_and_its_changelog_only(clone: Path, tmp_path: Path) -> None:
    bundle = clone.parent / "releases.bundle"
    cut_release(clone, "v1.1.0", bundle)
    git("clone", "--quiet", "--bare", bundle, "bare", within=tmp_path)
    bare = tmp_path / "bare"
    names = git("ls-tree", "--name-only", "v1.1.0", within=bare).split()
    assert names == ["CHANGELOG.md", "copier.yml", "template"]
    theirs = git("rev-parse", "v1.1.0:template", "v1.1.0:copier.yml", within=bare)
    assert theirs == git("rev-parse", "HEAD:template", "HEAD:copier.yml", within=clone)
    assert git("log", "--format=%an %as %s", "v1.1.0", within=bare).splitlines() == [
        "svcgen 2026-11-24 Template v1.1.0",
        "svcgen 2026-11-24 Template v1.0.0",
    ]


def edit_template(clone: Path) -> None:
    (clone / "copier.yml").write_text((clone / "copier.yml").read_text() + "# edited\n")


def new_file(clone: Path) -> None:
    (clone / "template/new").write_text("not known to git\n")


def as_it_was(clone: Path) -> None:
    git("revert", "--no-edit", "HEAD~1", within=clone)


def without_entry(clone: Path) -> None:
    tell(clone, "v1.2.0", part="CLI")


def without_date(clone: Path) -> None:
    file = clone / "CHANGELOG.md"
    file.write_text(file.read_text().replace("v1.1.0 - 2026-11-24", "v1.1.0 - soon"))
    commit(clone)


def nothing(_clone: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("version", "before", "problem"),
    [
        ("", nothing, "is not a version"),
        ("1.1.0", nothing, "is not a version"),
        ("v1.1", nothing, "is not a version"),
        ("v1.1.0-rc1", nothing, "is not a version"),
        ("v01.1.0", nothing, "is not a version"),
        ("v1.0.0", nothing, "is not higher than v1.0.0"),
        ("v0.9.0", nothing, "is not higher than v1.0.0"),
        ("v1.3.0", nothing, "does not say what v1.3.0 changes"),
        ("v1.2.0", without_entry, "does not say what v1.2.0 changes"),
        ("v1.1.0", without_date, "does not say what v1.1.0 changes"),
        ("v1.1.0", edit_template, "not committed:\n M copier.yml"),
        ("v1.1.0", new_file, "not committed:\n?? template/new"),
        ("v1.1.0", as_it_was, "nothing to release"),
    ],
)
def test_what_is_not_ready_is_refused(
    clone: Path, version: str, before: object, problem: str
) -> None:
    assert callable(before)
    before(clone)
    bundle = clone.parent / "releases.bundle"
    was = digest(bundle)
    with pytest.raises(SvcgenError, match=problem.replace("?", r"\?")):
        cut_release(clone, version, bundle)
    assert digest(bundle) == was
    assert not list(clone.parent.glob(".svcgen-new-*"))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small template that is ready to be released, and where svcgen keeps the releases."""
    folder = tmp_path / "small"
    write(folder, {"copier.yml": COPIER, "CHANGELOG.md": HEAD, "template/Makefile.jinja": TARGETS})
    write(folder, {f"template/{name}": content for name, content in FILES.items()})
    (folder / "template/{{go}}/run.sh").chmod(0o755)
    in_git(folder)
    tell(folder, "v1.0.0")
    monkeypatch.setenv("SVCGEN_RELEASES", str(tmp_path / "releases.bundle"))
    return folder


def make_release(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "release.py"), version]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_it_says_what_to_type_next(small: Path) -> None:
    done = make_release(small, "v1.0.0")
    assert done.returncode == 0, done.stderr
    assert "git commit" in done.stdout
    assert "git tag v1.0.0" in done.stdout
    again = make_release(small, "v1.0.0")
    assert again.returncode == 1
    assert again.stderr.startswith("Error: v1.0.0 is not higher than v1.0.0")


@pytest.mark.parametrize(
    ("file", "spoiled"),
    [("template/README.md.jinja", "# {% if name"), ("template/data.json", "{broken")],
)
def test_a_template_with_faults_is_not_released(small: Path, file: str, spoiled: str) -> None:
    write(small, {file: spoiled})
    commit(small)
    done = make_release(small, "v1.0.0")
    assert done.returncode == 1, done.stdout
    assert f"\n  {file}: " in done.stderr
    assert not (small.parent / "releases.bundle").exists()
