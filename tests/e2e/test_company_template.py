"""A platform team with a template of its own: begun from ours, changed, released, kept current."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.release import cut_release
from tests.support import run
from tests.support.pages import play
from tests.support.small_template import COPIER, FILES

MAKEFILE = "template/Makefile.jinja"
TARGETS = "run:\n\t./run\n\ntest:\n\t./test\n\nlint:\n\t./lint\n\nbuild:\n\t./build\n"

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with "our" template, its release v1.0.0, and a company's begun from it."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "gitconfig").write_text("[user]\nname = somebody\nemail = somebody@acme.com\n")
    (folder / "ours").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        surround(patch, folder)
        typed("git", "init", "-q", within=folder / "ours")
        whole = {f"template/{name}": text for name, text in FILES.items()}
        cut(folder, "v1.0.0", {"copier.yml": COPIER, MAKEFILE: TARGETS, **whole})
        svcgen("template", "init", "acme", within=folder)
    return folder


def surround(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give releases, cache and git's own settings of this test alone."""
    patch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    patch.setenv("SVCGEN_RELEASES", str(folder / "releases.bundle"))
    patch.setenv("SVCGEN_CACHE_DIR", str(folder / "cache"))


def cut(folder: Path, version: str, files: dict[str, str]) -> None:
    """Release "our" template with these files changed."""
    ours = folder / "ours"
    section = f"## {version} - 2026-01-01\n\n### Template\n\n- What {version} brings.\n\n"
    log = ours / "CHANGELOG.md"
    text = section + (log.read_text() if log.exists() else "")
    commit(ours, {**files, "CHANGELOG.md": text})
    cut_release(ours, version, folder / "releases.bundle")


@pytest.fixture
def place(tmp_path: Path, begun: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with all of it that is this test's own."""
    shutil.copytree(begun, tmp_path / "place")
    surround(monkeypatch, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def acme(place: Path) -> Path:
    """Return the company's template."""
    return place / "acme"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 if text.startswith("#!") else 0o644)


def typed(*words: str, within: Path, code: int = 0) -> Done:
    done = subprocess.run(
        words, cwd=within, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def svcgen(*words: str, within: Path, code: int = 0) -> Done:
    own_settings = {"GIT_CONFIG_GLOBAL": os.environ["GIT_CONFIG_GLOBAL"]}
    done = run.svcgen(*words, within=within, **dict.fromkeys(run.SOMEBODY), **own_settings)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def git(*words: str, within: Path) -> str:
    return typed("git", *words, within=within).stdout.strip()


def commit(folder: Path, files: dict[str, str], title: str = "Change it") -> None:
    write(folder, files)
    git("add", "-A", within=folder)
    git("commit", "-qm", title, within=folder)


def test_a_platform_team_goes_all_the_way(place: Path, acme: Path) -> None:
    # Their own line at the end, a section for it, and a first version.
    changes = "## v1.0.0\n\n- `make audit`, which our security team wants.\n"
    commit(acme, {MAKEFILE: TARGETS + "\naudit:\n\t./audit\n", "CHANGELOG.md": changes})
    assert "no faults" in svcgen("template", "check", within=acme).stdout
    said = svcgen("template", "release", "v1.0.0", within=acme).stdout
    assert said.endswith("Tagged v1.0.0.\nNext: git push origin v1.0.0\n")
    assert "security team" in git("tag", "-l", "--format=%(contents)", "v1.0.0", within=acme)
    # Somebody makes a service from it.
    svcgen("new", "orders", "--template", str(acme), within=place)
    answers = (place / "orders" / ".copier-answers.yml").read_text()
    assert f"_commit: v1.0.0\n_src_path: {acme}\n" in answers
    assert "./audit" in (place / "orders" / "Makefile").read_text()
    # We improve the first line, and they follow.
    cut(
        place, "v1.1.0", {MAKEFILE: TARGETS.replace("./run", "./run --fast"), "template/new": "1\n"}
    )
    git("config", "merge.verifySignatures", "true", within=acme)  # a company's rule for its own
    said = svcgen("template", "upgrade", "v1.1.0", within=acme).stdout
    assert said == "Merged svcgen's v1.1.0 into main.\nNext: svcgen template check\n"
    merged = (acme / MAKEFILE).read_text()
    assert "./run --fast" in merged
    assert "./audit" in merged
    assert (acme / "template" / "new").is_file()
    assert (acme / "CHANGELOG.md").read_text() == changes
    assert "What v1.1.0 brings" in (acme / "UPSTREAM.md").read_text()
    assert git("status", "--porcelain", within=acme) == ""
    # The next version of their own.
    commit(acme, {"CHANGELOG.md": f"## v1.1.0\n\n- svcgen's v1.1.0.\n\n{changes}"})
    svcgen("template", "release", "v1.1.0", within=acme)
    said = svcgen("template", "versions", "--template", str(acme), "--json", within=acme).stdout
    assert json.loads(said)["template_versions"] == ["v1.0.0", "v1.1.0"]
    # Their service follows, with a line of its own developers in the same file.
    makefile = place / "orders" / "Makefile"
    makefile.write_text(makefile.read_text().replace("./lint", "./lint --all"))
    svcgen("update", "orders", "--force", within=place)
    assert all(line in makefile.read_text() for line in ("./run --fast", "./audit", "lint --all"))


def test_the_page_tells_the_truth(place: Path) -> None:
    cut(place, "v1.1.0", {MAKEFILE: TARGETS + "\nmore:\n"})
    (place / "page").mkdir()
    play("docs/company-template.md", place / "page")


def test_upstream_holds_our_releases_and_the_same_commits_everywhere(
    place: Path, acme: Path
) -> None:
    cut(place, "v1.1.0", {MAKEFILE: TARGETS + "\nmore:\n"})
    svcgen("template", "upgrade", "v1.1.0", within=acme)
    svcgen("template", "init", "other", within=place)
    tags = "upstream/v1.0.0\nupstream/v1.1.0"
    assert git("tag", within=acme) == git("tag", within=place / "other") == tags
    one, other = (git("rev-parse", "upstream", within=place / at) for at in ("acme", "other"))
    assert one == other == git("rev-parse", "upstream/v1.1.0", within=acme)
    listed = git("ls-tree", "--name-only", "upstream", within=acme).splitlines()
    assert listed == ["UPSTREAM.md", "copier.yml", "template"]
    shown = git("show", f"upstream/v1.0.0:{MAKEFILE}", within=acme)
    assert shown == TARGETS.strip()


def test_an_older_release_can_be_begun_with(place: Path) -> None:
    cut(place, "v1.1.0", {MAKEFILE: TARGETS + "\nmore:\n"})
    svcgen("template", "init", "a b", "--ref", "v1.0.0", within=place)
    assert git("tag", within=place / "a b") == "upstream/v1.0.0"
    assert "v1.0.0" in (place / "a b" / "README.md").read_text()
    assert git("branch", "--show-current", within=place / "a b") == "main"


def test_a_conflict_is_gits_own_and_can_be_taken_back(place: Path, acme: Path) -> None:
    commit(acme, {MAKEFILE: TARGETS.replace("./run", "./theirs")})
    before = git("rev-parse", "HEAD", within=acme)
    git("config", "rerere.enabled", "true", within=acme)
    git("config", "rerere.autoUpdate", "true", within=acme)
    cut(place, "v1.1.0", {MAKEFILE: TARGETS.replace("./run", "./ours")})
    done = svcgen("template", "upgrade", "v1.1.0", within=acme, code=3)
    assert f"  {MAKEFILE}\n" in done.stdout
    assert "git add . && git commit" in done.stdout
    assert "<<<<<<< HEAD" in (acme / MAKEFILE).read_text()
    git("merge", "--abort", within=acme)
    assert git("rev-parse", "HEAD", within=acme) == before
    said = svcgen("template", "upgrade", "v1.1.0", "--json", within=acme, code=3).stdout
    assert json.loads(said) == {
        "version": 1,
        "template_version": "v1.1.0",
        "branch": "main",
        "conflicts": [MAKEFILE],
    }
    write(acme, {MAKEFILE: TARGETS})
    typed("git", "add", ".", within=acme)
    typed("git", "commit", "-q", "--no-edit", within=acme)
    assert "no faults" in svcgen("template", "check", within=acme).stdout
    git("reset", "--quiet", "--hard", before, within=acme)
    said = svcgen("template", "upgrade", "v1.1.0", within=acme, code=3).stdout
    assert f"  {MAKEFILE}\n" in said  # though git remembers what was made of it


def dirty(acme: Path) -> None:
    write(acme, {"template/new": "1\n"})


def detached(acme: Path) -> None:
    git("switch", "-q", "--detach", within=acme)


def on_upstream(acme: Path) -> None:
    git("switch", "-q", "upstream", within=acme)


def without_upstream(acme: Path) -> None:
    git("branch", "-qD", "upstream", within=acme)


def with_a_stranger(acme: Path) -> None:
    on_upstream(acme)
    commit(acme, {"mine": "1\n"})
    git("switch", "-q", "main", within=acme)


def without_git(acme: Path) -> None:
    (acme / ".git").rename(acme.parent / "away")


def without_template(acme: Path) -> None:
    git("rm", "-q", "copier.yml", within=acme)
    git("commit", "-qm", "none", within=acme)


def faulty(acme: Path) -> None:
    commit(acme, {"template/a.json": "{,}\n", "CHANGELOG.md": "## v1.0.0\n\n- It.\n"})


def released(acme: Path) -> None:
    commit(acme, {"CHANGELOG.md": "## v1.0.0\n\n- It.\n"})
    git("tag", "v1.0.0", within=acme)


def forgetful(acme: Path) -> None:
    released(acme)
    copier = COPIER.replace("owner: {type: str, default: us}\n", "")
    gone = {"template/chart.yaml.jinja": "name: {{ name }}\n", "copier.yml": copier}
    commit(acme, {**gone, "CHANGELOG.md": "## v1.1.0\n\n- No owner.\n"})


def nobody(acme: Path) -> None:
    (acme.parent / "gitconfig").write_text("[user]\nuseConfigOnly = true\n")


def nothing(_acme: Path) -> None:
    pass


REFUSED: list[tuple[Callable[[Path], None], str, str, str]] = [
    (dirty, "upgrade v1.0.0", "Not everything is committed: template/new", "git stash"),
    (detached, "upgrade v1.0.0", "No branch", "git switch main"),
    (on_upstream, "upgrade v1.0.0", "only for svcgen's releases", "git switch main"),
    (without_upstream, "upgrade v1.0.0", "no branch upstream", "git branch upstream origin"),
    (with_a_stranger, "upgrade v1.0.0", "not a release of svcgen", "git branch -m"),
    (without_git, "upgrade v1.0.0", "in no git repository", "template init"),
    (without_template, "upgrade v1.0.0", "holds no template", "template init"),
    (nobody, "upgrade v1.0.0", "user.name and user.email", "git config"),
    (nothing, "upgrade v1.0.1", "no version v1.0.1", "v1.0.0"),
    (nothing, "upgrade v1.0.0", "main already has svcgen's v1.0.0", "Known releases: v1.0.0"),
    (dirty, "release v1.0.0", "Not everything is committed: template/new", "git stash"),
    (nothing, "release 1.0.0", "1.0.0 is not a version", "v1.0.0"),
    (nothing, "release v1.0.0", "CHANGELOG.md does not say", "## v1.0.0"),
    (released, "release v1.0.0", "not higher than v1.0.0", "higher one"),
    (forgetful, "release v1.1.0", "no longer asks `owner`", "removed: [owner]"),
    (without_git, "release v1.0.0", "in no git repository", "template init"),
    (without_template, "check", "holds no template", "template init"),
    (nobody, "init other", "user.name and user.email", "git config"),
    (nothing, "init template", "already exists", "template init OTHER"),
    (nothing, "init README.md", "already exists", "template init OTHER"),
    (nothing, "init README.md/x", "Nothing can be written", ""),
    (nothing, "init other --ref v9.0.0", "no version v9.0.0", "v1.0.0"),
]


@pytest.mark.parametrize(
    ("prepare", "words", "problem", "advice"),
    REFUSED,
    ids=[f"{words} {prepare.__name__}" for prepare, words, _, _ in REFUSED],
)
def test_what_cannot_be_done_is_refused_and_nothing_happens(
    acme: Path, prepare: Callable[[Path], None], words: str, problem: str, advice: str
) -> None:
    prepare(acme)
    before = everything(acme.parent)
    done = svcgen("template", *words.split(), within=acme, code=1)
    assert problem in done.stderr
    assert advice in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert everything(acme.parent) == before


def everything(folder: Path) -> dict[str, bytes]:
    """All files but the cache, and git's own index, which `git status` may renew."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "index")
    names = {path.relative_to(folder): path for path in files}
    return {str(at): path.read_bytes() for at, path in names.items() if at.parts[0] != "cache"}


def test_a_faulty_template_is_not_released(acme: Path) -> None:
    faulty(acme)
    done = svcgen("template", "release", "v1.0.0", within=acme, code=3)
    assert "template/a.json: parses: cannot be read" in done.stdout
    assert "v1.0.0 was not tagged" in done.stdout
    assert git("tag", within=acme) == "upstream/v1.0.0"


def test_check_shows_each_fault_with_the_answers_that_show_it(acme: Path) -> None:
    write(acme, {"template/{{go}}/a.yaml": "a: [\n"})
    done = svcgen("template", "check", "acme", within=acme.parent, code=3)
    assert done.stdout.startswith("template/{{go}}/a.yaml: parses: cannot be read: ")
    assert done.stdout.splitlines()[0].endswith("(stack=go)")
    assert done.stdout.endswith("2 combinations of answers: 1 fault\n")
    said = json.loads(svcgen("template", "check", "--json", within=acme, code=3).stdout)
    assert (said["tried"], said["refused"]) == (2, 0)
    assert [(one["rule"], one["answers"]) for one in said["faults"]] == [("parses", "stack=go")]


def test_a_company_asks_more_and_its_validators_may_refuse(acme: Path) -> None:
    more = (
        "tier:\n  type: str\n  choices: [gold, tin]\n"
        "  validator: \"{% if tier == 'tin' and stack == 'go' %}Not tin.{% endif %}\"\n"
        'centre:\n  type: int\n  validator: "{% if centre < 9 %}Too low.{% endif %}"\n'
    )
    write(acme, {"copier.yml": COPIER + more, "template/tier.jinja": "{{ tier }} {{ centre }}\n"})
    done = svcgen("template", "check", within=acme, code=1)
    assert "`centre` cannot be used: Too low." in done.stderr
    assert "-d QUESTION=ANSWER" in done.stderr
    done = svcgen("template", "check", "-d", "centre=12", within=acme)
    assert "4 combinations of answers, 1 of them refused by its validators: no" in done.stdout


def test_questions_may_stand_in_copier_yaml(acme: Path) -> None:
    (acme / "copier.yml").rename(acme / "copier.yaml")
    assert "no faults" in svcgen("template", "check", within=acme).stdout


def test_what_wants_trust_is_not_rendered_without_it(acme: Path) -> None:
    write(acme, {"copier.yml": COPIER + "_tasks: ['touch made']\n"})
    done = svcgen("template", "check", within=acme, code=1)
    assert "tasks" in done.stderr
    assert "--trust" in done.stderr
    svcgen("template", "check", "--trust", within=acme)


def test_an_existing_empty_folder_is_filled(place: Path) -> None:
    (place / "empty").mkdir()
    said = svcgen("template", "init", "empty", "--json", within=place).stdout
    folder = str(place / "empty")
    assert json.loads(said) == {
        "version": 1,
        "folder": folder,
        "template_version": "v1.0.0",
        "upstream": "upstream",
    }
    assert not list(place.glob(".svcgen*"))


def test_without_any_release_nothing_can_be_begun(place: Path) -> None:
    (place / "releases.bundle").unlink()
    done = svcgen("template", "init", "other", within=place, code=1)
    assert "svcgen's template has no released version yet" in done.stderr
    assert not (place / "other").exists()
