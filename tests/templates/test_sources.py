"""A company's own template: fetched once, usable offline, and never trusted in silence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from svcgen.templates import git_source
from svcgen.templates.sources import open_source
from tests.support.run import answered, environment, svcgen, svcgen_process
from tests.support.templates import COPIER_YML, FIRST, SECOND, commit, git, publish, write
from tests.support.terminal import at_terminal


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template with two versions, and a commit after them."""
    template = publish(tmp_path_factory.mktemp("company") / "template", "v1.0.0", FIRST)
    publish(template, "v1.1.0", SECOND)
    git("tag", "latest", within=template)
    write(template, {"template/notes.txt": "not released\n"})
    commit(template)
    return template


@pytest.fixture
def template(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "template"))


@pytest.fixture(autouse=True)
def a_new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what was fetched: in life it lasts for one command. The cache is empty, too."""
    monkeypatch.setenv("SVCGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


def forget() -> None:
    open_source.cache_clear()
    for function in vars(git_source).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def typed(*words: str | Path) -> tuple[int, str, str]:
    """Run the command in the current directory; return exit code, stdout and stderr."""
    done = svcgen(*words, within=Path.cwd())
    return done.returncode, done.stdout, done.stderr


def answers(folder: str = "orders") -> dict[str, object]:
    read: dict[str, object] = yaml.safe_load(Path(folder, ".copier-answers.yml").read_text())
    return read


@pytest.mark.parametrize(
    ("ref", "recorded", "there"),
    [
        ("v1.0.0", "v1.0.0", "src/store.py"),
        ("", "v1.1.0", "src/telemetry.py"),
        ("latest", "latest", "src/telemetry.py"),
    ],
)
def test_new_takes_a_tag_or_the_newest(template: Path, ref: str, recorded: str, there: str) -> None:
    code, _out, err = typed(
        *("new", "orders", "--template", "./template"), *(("--ref", ref) if ref else ())
    )
    assert code == 0, err
    assert (answers()["_commit"], answers()["_src_path"]) == (recorded, str(template))
    assert Path("orders", there).is_file()
    assert not Path("orders/notes.txt").exists()


@pytest.mark.parametrize("ref", ["main", "HEAD", "COMMIT"])
def test_what_is_no_tag_is_recorded_as_git_describes_it(template: Path, ref: str) -> None:
    head = git("rev-parse", "HEAD", within=template).strip()
    given = head if ref == "COMMIT" else ref
    assert typed("new", "orders", "--template", f"file://{template}", "--ref", given)[0] == 0
    described = git("describe", "--tags", "--always", within=template).strip()
    assert answers()["_commit"] == (head if ref == "COMMIT" else described)
    assert Path("orders/notes.txt").is_file()
    recorded = str(answers()["_commit"])
    assert open_source(f"file://{template}").obtain(recorded).name == recorded


def test_versions_are_listed_the_oldest_first(template: Path) -> None:
    code, out, _err = typed("template", "versions", "--template", template)
    assert (code, out.split()) == (0, ["v1.0.0", "v1.1.0"])


def test_without_tags_it_is_the_commit_that_head_points_at(template: Path) -> None:
    git("tag", "--delete", "v1.0.0", "v1.1.0", "latest", within=template)
    assert typed("new", "orders", "--template", template)[0] == 0
    assert answers()["_commit"] == git("describe", "--always", within=template).strip()
    assert typed("template", "versions", "--template", template)[1] == ""


def test_a_folder_without_git_has_no_versions(template: Path) -> None:
    shutil.rmtree(template / ".git")
    assert typed("new", "orders", "--template", "template")[0] == 0
    assert "_commit" not in answers()
    assert answers()["_src_path"] == str(template)
    code, _out, err = typed("new", "stock", "--template", "template", "--ref", "v1.0.0")
    assert (code, "folder without git" in err) == (1, True)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        ("mkdir other", "other is not a template: it has no copier.yml."),
        ("git init -q other", "other has no commit on its default branch."),
        (
            "git init -q other && cd other && git commit -q --allow-empty -m empty",
            "other is not a template: it has no copier.yml.",
        ),
    ],
)
def test_versions_of_what_is_not_a_template_are_refused(
    tmp_path: Path, make: str, problem: str
) -> None:
    subprocess.run(["sh", "-c", make], cwd=tmp_path, env=environment({}), check=True)
    code, out, err = typed("template", "versions", "--template", tmp_path / "other")
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {tmp_path}/{problem}\n"), err


def no_copier_yml(template: Path) -> str:
    publish(template, "v2.0.0", {"copier.yml": None})
    return str(template)


def submodules(template: Path) -> str:
    publish(template, "v2.0.0", {".gitmodules": "[submodule]\n"})
    return str(template)


def no_service(template: Path) -> str:
    publish(template, "v2.0.0", {"template/chart/registration.yaml.jinja": None})
    return str(template)


def broken(template: Path) -> str:
    publish(template, "v2.0.0", {"template/README.md.jinja": "{{ nobody_knows }}\n"})
    return str(template)


def no_yaml(template: Path) -> str:
    publish(template, "v2.0.0", {"copier.yml": "a: [\n"})
    return str(template)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (lambda _template: "nowhere", "no folder nowhere"),
        (lambda _template: "--upload-pack=x", "no folder --upload-pack=x"),
        (lambda _template: "file:///no/where.git", "cannot be fetched: fatal:"),
        (lambda _template: "ext::sh -c true", "no folder ext::"),
        (lambda _template: "https://me:secret@127.0.0.1:1/t.git", "has a password"),
        (lambda _template: "git+http://127.0.0.1:1/t.git", "cannot be fetched: fatal:"),
        (no_copier_yml, "has no copier.yml"),
        (submodules, "git submodules"),
        (no_service, "does not write a service"),
        (broken, "'nobody_knows' is undefined"),
        (no_yaml, "cannot be read"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(
    template: Path, source: Callable[[Path], str], problem: str
) -> None:
    before = set(Path().iterdir()) | {Path("cache")}
    code, out, err = typed("new", "orders", f"--template={source(template)}")
    assert (code, out) == (1, "")
    assert problem in err
    assert "secret" not in err
    assert set(Path().iterdir()) <= before


def test_an_unknown_version_is_refused_with_those_there_are(template: Path) -> None:
    code, _out, err = typed("new", "orders", "--template", template, "--ref", "v1.0.1")
    assert (code, err.splitlines()[0]) == (1, f"Error: {template} has no version v1.0.1.")
    assert 'Did you mean "v1.0.0"? There are: v1.0.0, v1.1.0.' in err


def test_offline_the_versions_last_seen_are_used_with_a_warning(template: Path) -> None:
    url = f"file://{template}"
    assert svcgen("template", "versions", "--template", url, within=template.parent).stdout
    template.rename("away")
    older = ("--ref", "v1.0.0")
    made = svcgen("new", "orders", "--template", url, *older, within=template.parent)
    assert made.returncode == 0, made.stderr
    assert made.stderr.startswith(f"{url} cannot be fetched (fatal: ")
    updated = svcgen("update", "--force", "--json", within=Path("orders").absolute())
    assert [one["new"] for one in answered(updated)["services"]] == ["v1.1.0"]
    assert updated.stderr.startswith(f"{url} cannot be fetched (fatal: ")
    listed = svcgen("template", "versions", "--template", template, "--json", within=Path())
    assert (listed.returncode, listed.stdout) == (1, "")  # by this path it was never fetched
    listed = svcgen("template", "versions", "--template", url, "--json", within=Path())
    assert answered(listed)["template_versions"] == ["v1.0.0", "v1.1.0"]


def test_a_command_fetches_once(template: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    source = str(template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_TRACE", str(trace))
        for ref in ("v1.0.0", "v1.1.0", "", "HEAD", "HEAD"):
            open_source(source).obtain(ref)
            open_source(source).versions()
    fetched = [
        line for line in trace.read_text().splitlines() if "trace: built-in: git fetch" in line
    ]
    assert len(fetched) == 2  # branches and tags; and HEAD, for who names it


def test_a_tag_that_was_moved_is_seen(template: Path) -> None:
    assert not (open_source(str(template)).obtain("v1.1.0").folder / "template/notes.txt").exists()
    git("tag", "--force", "v1.1.0", within=template)
    git("tag", "--delete", "v1.0.0", within=template)
    forget()
    assert (open_source(str(template)).obtain("v1.1.0").folder / "template/notes.txt").exists()
    assert open_source(str(template)).versions() == ("v1.1.0",)


def locked(repository: Path) -> None:
    """What a fetch that was killed leaves behind."""
    (repository / "packed-refs.lock").write_text("")
    (repository / "refs/tags/v1.1.0.lock").write_text("")


def emptied(repository: Path) -> None:
    shutil.rmtree(repository / "objects")


def scrambled(repository: Path) -> None:
    (repository / "HEAD").write_text("nonsense\n")


@pytest.mark.parametrize("harm", [locked, emptied, scrambled])
def test_a_mirror_that_was_harmed_heals(template: Path, harm: Callable[[Path], None]) -> None:
    source = str(template)
    assert typed("template", "versions", "--template", source)[0] == 0
    [repository] = Path("cache/templates").glob("*/repository.git")
    harm(repository)
    git("tag", "v1.2.0", within=template)
    code, out, err = typed("template", "versions", "--template", source)
    assert (code, out.split()) == (0, ["v1.0.0", "v1.1.0", "v1.2.0"]), err


def test_many_commands_at_once_share_one_mirror(template: Path) -> None:
    def list_versions(_number: int) -> list[str]:
        words = ("template", "versions", "--json", "--template", template)
        return list(answered(svcgen_process(*words, within=template.parent))["template_versions"])

    with ThreadPoolExecutor(4) as pool:
        assert all(found == ["v1.0.0", "v1.1.0"] for found in pool.map(list_versions, range(4)))
    assert len(list(Path("cache/templates").glob("*/repository.git"))) == 1


TASKS = "_tasks: ['touch ran-by-a-task']\n"


@pytest.fixture
def wanting(template: Path) -> Path:
    return publish(template, "v2.0.0", {"copier.yml": COPIER_YML + TASKS})


def test_tasks_run_only_when_somebody_said_so(wanting: Path) -> None:
    code, _out, err = typed("new", "orders", "--template", wanting)
    assert code == 1
    assert f"{wanting} wants to run its own programs (tasks)" in err
    assert "--trust" in err
    assert not Path("orders").exists()
    assert typed("new", "orders", "--template", wanting, "--trust")[0] == 0
    assert Path("orders/ran-by-a-task").is_file()


@pytest.mark.parametrize(
    ("more", "wish"),
    [
        ({"copier.yml": COPIER_YML + "_jinja_extensions: [jinja2.ext.do]\n"}, "extensions"),
        ({"copier.yml": COPIER_YML + "---\n" + TASKS}, "tasks"),
        ({"copier.yml": COPIER_YML + "---\n!include more.yml\n", "more.yml": TASKS}, "tasks"),
    ],
)
def test_whatever_could_run_wants_trust(
    template: Path, more: dict[str, str | bytes | None], wish: str
) -> None:
    publish(template, "v2.0.0", more)
    code, _out, err = typed("new", "orders", "--template", template)
    assert (code, f"({wish})" in err) == (1, True)
    assert typed("new", "orders", "--template", template, "--trust")[0] == 0


@pytest.mark.parametrize(
    ("trusted", "code"),
    [("{source}", 0), ("{parent}/", 0), ("{parent}", 1), ("{source}/", 1), ("file://{source}", 1)],
)
def test_copiers_own_settings_are_honoured(
    wanting: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, code: int
) -> None:
    entry = trusted.format(source=wanting, parent=wanting.parent)
    Path("settings.yml").write_text(yaml.safe_dump({"trust": [entry]}))
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(Path("settings.yml").absolute()))
    assert typed("new", "orders", "--template", wanting)[0] == code


@pytest.mark.parametrize(("reply", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_it_asks(wanting: Path, reply: str, code: int) -> None:
    words = ("new", "orders", "--template", wanting, "--stack", "python", "-d", "database=none")
    asked = "Do you trust it? [y/N]"
    exit_code, said = at_terminal(*words, within=Path.cwd(), asked=asked, reply=reply)
    assert exit_code == code, said
    assert Path("orders/ran-by-a-task").exists() == (reply == "y")


def test_company_defaults_serve_questions_of_any_template(template: Path) -> None:
    publish(template, "v2.0.0", {"copier.yml": COPIER_YML + "tier: {type: str, default: low}\n"})
    Path("svcgen.yaml").write_text("defaults: {tier: high, registry: reg.acme.com/shop}\n")
    assert typed("new", "orders", "--template", template)[0] == 0
    assert answers()["tier"] == "high"
    assert "registry" not in answers()
    assert typed("new", "stock")[0] == 0
    assert answers("stock")["registry"] == "reg.acme.com/shop"
    Path("svcgen.yaml").write_text("defaults: {organization: shop.example, owner: shop}\n")
    assert typed("new", "books", "--stack", "go")[0] == 0
    assert (answers("books")["organization"], answers("books")["owner"]) == ("shop.example", "shop")


@pytest.mark.parametrize(
    ("defaults", "problem"),
    [
        ("[owner]", "must be a map"),
        ("{ownr: shop}", 'Did you mean "owner"?'),
        ("{registry: Not/A/Registry/}", "`registry` from `defaults` in {file} cannot be used: "),
        ("{owner: [a]}", "`owner` from `defaults` in {file} cannot be used: ['a'] is not text."),
        ("{calls: a}", "`calls` from `defaults` in {file} cannot be used: This is not a list"),
    ],
)
def test_company_defaults_that_cannot_be_used_are_refused(defaults: str, problem: str) -> None:
    Path("svcgen.yaml").write_text(f"defaults: {defaults}\n")
    code, _out, err = typed("new", "orders")
    problem = problem.replace("{file}", str(Path("svcgen.yaml").absolute()))
    assert (code, problem in err) == (1, True), err
    assert not Path("orders").exists()
