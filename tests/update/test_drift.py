"""`svcgen drift`: what a service's managed files have become, and how they are put back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.run import answered, svcgen
from tests.support.templates import COPIER_YML, FIRST, SECOND, commit, git, in_git, publish, write

Edit = Callable[[Path], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a template whose newest version is not that of the services."""
    folder = publish(tmp_path_factory.mktemp("company") / "template", "v1.0.0", FIRST)
    return publish(folder, "v1.1.0", SECOND)


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace in git with one service, of v1.0.0."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "svcgen.yaml").touch()
    words = ("new", "orders", "--template", template, "--ref", "v1.0.0", "--yes")
    assert svcgen(*words, within=folder).returncode == 0
    return in_git(folder)


@pytest.fixture
def orders(workspace: Path, tmp_path: Path) -> Path:
    """Return the service, in a workspace of the test's own."""
    shutil.copytree(workspace, tmp_path, dirs_exist_ok=True)
    return tmp_path / "orders"


def drifted(folder: Path, *words: str, code: int = 3) -> dict[str, str]:
    """Return the state of each file that differs."""
    (looked,) = answered(svcgen("drift", *words, "--json", within=folder), code)["services"]
    assert not looked["error"]
    return {file["path"]: file["state"] for file in looked["files"]}


def append(path: Path, text: str = "mine\n") -> None:
    path.write_bytes(path.read_bytes() + text.encode())


def to_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("Makefile")


def to_folder(path: Path) -> None:
    path.unlink()
    write(path, {"own": "x"})


def to_crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def crlf_and_more(path: Path) -> None:
    to_crlf(path)
    append(path)


def noted(path: Path) -> None:
    append(path, "# note\n")


def blocking_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("a file\n")


def test_a_service_that_is_named_twice_is_compared_once(orders: Path) -> None:
    append(orders / "Makefile")
    assert drifted(orders.parent, "orders", "./orders") == {"Makefile": "changed"}
    assert drifted(orders, ".", "orders") == {"Makefile": "changed"}


EDITS: list[tuple[str, Edit, str]] = [
    ("Dockerfile", append, "changed"),
    ("Dockerfile", Path.unlink, "missing"),
    ("Dockerfile", lambda path: path.chmod(0o755), "mode"),
    ("Dockerfile", to_link, "changed"),
    ("Dockerfile", to_folder, "blocked"),
    ("Dockerfile", crlf_and_more, "changed"),
    ("Dockerfile", to_crlf, ""),
    ("Dockerfile", Path.touch, ""),
    ("chart/registration.yaml", append, "changed"),
    ("src/store.py", append, ""),  # seeded
    ("requirements.txt", append, ""),  # a lock
    (".copier-answers.yml", noted, ""),
    ("src/own.py", Path.touch, ""),
]


def test_a_managed_file_that_differs_is_found(orders: Path) -> None:
    """All in one run, a service each."""
    for number, (name, edit, _state) in enumerate(EDITS):
        edit(shutil.copytree(orders, orders.parent / f"edited-{number:02}") / name)
    rows = answered(svcgen("drift", "--json", within=orders.parent), 3)["services"]
    found = {Path(row["folder"]).name: row["files"] for row in rows}
    states = [
        [(file["path"], file["state"]) for file in found[f"edited-{number:02}"]]
        for number in range(len(EDITS))
    ]
    assert states == [[(name, state)] if state else [] for name, _edit, state in EDITS]
    assert found["orders"] == []


def test_a_file_in_the_place_of_a_folder_blocks_what_was_there(orders: Path) -> None:
    blocking_folder(orders / "src/health.py")
    assert drifted(orders) == {"src/health.py": "blocked"}
    done = svcgen("drift", "--fix", within=orders)
    assert done.returncode == 3
    assert "in the place of src/health.py" in done.stderr


def test_a_diff_shows_the_users_lines_as_added(orders: Path) -> None:
    append(orders / "Dockerfile", "USER me\n")
    to_crlf(orders / "Dockerfile")
    done = svcgen("drift", "--diff", within=orders)
    assert done.returncode == 3
    changed = [line for line in done.stdout.splitlines() if line.startswith(("+", "-"))]
    assert changed[2:] == ["+USER me"]
    assert svcgen("drift", within=orders).stdout.splitlines()[1:] == [
        "orders   v1.0.0   Dockerfile  changed"
    ]


def test_committed_edits_are_put_back_with_the_line_ends_that_a_file_has(orders: Path) -> None:
    before = {path: path.read_bytes() for path in (orders / "Makefile", orders / "Dockerfile")}
    append(orders / "Makefile")
    append(orders / "Dockerfile")
    to_crlf(orders / "Dockerfile")
    (orders / "src/health.py").unlink()
    commit(orders.parent)
    done = svcgen("drift", "--fix", within=orders)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("restored") == 3
    assert (orders / "Makefile").read_bytes() == before[orders / "Makefile"]
    crlf = before[orders / "Dockerfile"].replace(b"\n", b"\r\n")
    assert (orders / "Dockerfile").read_bytes() == crlf
    assert (orders / "src/health.py").is_file()
    assert drifted(orders, code=0) == {}
    assert not list(orders.glob(".svcgen-*"))


def staged(path: Path) -> None:
    append(path)
    git("add", path, within=path.parent)


def untracked(path: Path) -> None:
    git("rm", "--quiet", "--cached", path.name, within=path.parent)
    commit(path.parent)
    append(path)


def ignored(path: Path) -> None:
    write(path.parent, {".gitignore": f"{path.name}\n"})
    untracked(path)


@pytest.mark.parametrize("edit", [append, staged, untracked, ignored], ids=lambda e: e.__name__)
def test_what_no_commit_has_is_replaced_by_force_only(orders: Path, edit: Edit) -> None:
    edit(orders / "Dockerfile")
    (orders / "Makefile").unlink()
    edited = (orders / "Dockerfile").read_bytes()
    done = svcgen("drift", "--fix", within=orders)
    assert done.returncode == 3
    assert "Dockerfile would be replaced, and is in no commit" in done.stderr
    assert (orders / "Dockerfile").read_bytes() == edited
    assert not (orders / "Makefile").exists(), "nothing is half-done"
    assert svcgen("drift", "--fix", "--force", within=orders).returncode == 0
    assert drifted(orders, code=0) == {}


def test_without_git_only_what_is_gone_is_put_back_without_force(orders: Path) -> None:
    shutil.rmtree(orders.parent / ".git")
    (orders / "Makefile").unlink()
    assert svcgen("drift", "--fix", within=orders).returncode == 0
    append(orders / "Makefile")
    done = svcgen("drift", "--fix", within=orders)
    assert done.returncode == 3
    assert "in no git repository" in done.stderr
    assert "--force" in done.stderr
    assert svcgen("drift", "--fix", "--force", within=orders).returncode == 0
    assert drifted(orders, code=0) == {}


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        ("{allow: [Dockerfile]}", {"src/health.py"}),
        ("{allow: ['src/*.py', Dockerfile]}", set()),
        ("{services: {orders: [/src/]}}", {"Dockerfile"}),
        ("{allow: [Dockerfile], services: {orders: [health.py]}}", set()),
        ("{allow: [Docker]}", {"Dockerfile", "src/health.py"}),
    ],
)
def test_svcgen_yaml_allows_files_to_differ(orders: Path, allowed: str, left: set[str]) -> None:
    write(orders.parent, {"svcgen.yaml": f"drift: {allowed}\n"})
    append(orders / "Dockerfile")
    append(orders / "src/health.py")
    (looked,) = answered(svcgen("drift", "--json", within=orders), 3 if left else 0)["services"]
    assert {file["path"] for file in looked["files"]} == left
    assert set(looked["allowed"]) == {"Dockerfile", "src/health.py"} - left
    commit(orders.parent)
    assert svcgen("drift", "--fix", within=orders).returncode == 0
    assert (orders / "Dockerfile").read_text().endswith("mine\n") == ("Dockerfile" not in left)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("drift: {alow: [x]}", 'Did you mean "allow"?'),
        ("drift: {allow: Dockerfile}", "drift.allow"),
        ("drift: {services: {order: [x]}}", 'Did you mean "orders"?'),
        ("drift: {allow: ['!']}", "pattern"),
    ],
)
def test_a_faulty_allow_list_is_refused(orders: Path, settings: str, problem: str) -> None:
    write(orders.parent, {"svcgen.yaml": f"{settings}\n"})
    done = svcgen("drift", within=orders)
    assert done.returncode == 1
    assert "svcgen.yaml" in done.stderr
    assert problem in done.stderr


def unknown_version(folder: Path) -> None:
    file = folder / ".copier-answers.yml"
    file.write_text(file.read_text().replace("v1.0.0", "v7.0.0"))


def plain_folder(folder: Path) -> None:
    file = folder / ".copier-answers.yml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("_commit")))


def broken(folder: Path) -> None:
    write(folder, {".copier-answers.yml": "name: ["})


def rejected(folder: Path) -> None:
    file = folder / ".copier-answers.yml"
    file.write_text(file.read_text().replace("database: none", "database: oracle"))


SPOILED = [
    (unknown_version, "v7.0.0"),
    (plain_folder, "without versions"),
    (broken, "cannot be read"),
    (rejected, "`database`"),
]


@pytest.mark.parametrize(("spoil", "problem"), SPOILED, ids=lambda it: getattr(it, "__name__", ""))
def test_a_service_that_cannot_be_compared_does_not_end_the_rest(
    orders: Path, spoil: Edit, problem: str
) -> None:
    shutil.copytree(orders, orders.parent / "broken")
    answers = orders.parent / "broken/.copier-answers.yml"
    answers.write_text(answers.read_text().replace("name: orders", "name: broken"))
    spoil(orders.parent / "broken")
    document = answered(svcgen("drift", "--json", within=orders.parent), 1)
    errors: dict[str, str] = {row["service"]: row["error"] for row in document["services"]}
    assert problem in errors.pop("broken")
    assert errors == {"orders": ""}
    append(orders / "Dockerfile")
    done = svcgen("drift", within=orders.parent)
    assert done.returncode == 3
    assert "Dockerfile" in done.stdout
    assert problem in done.stderr


@pytest.mark.parametrize("words", [("drift",), ("reconfigure", "orders", "-d", "database=none")])
def test_programs_of_a_template_run_only_when_somebody_says_so(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    tasks = {**FIRST, "copier.yml": f"_tasks: ['echo ran >> {tmp_path / 'ran'}']\n{COPIER_YML}"}
    template = publish(tmp_path / "template", "v1.0.0", tasks)
    new = ("new", "orders", "--template", template, "--trust", "--yes")
    assert svcgen(*new, within=tmp_path).returncode == 0
    orders = in_git(tmp_path / "orders")
    (tmp_path / "ran").unlink()
    refused = svcgen(*words, within=orders)
    assert refused.returncode == 1
    assert "--trust" in refused.stderr
    assert not (tmp_path / "ran").exists()
    assert svcgen(*words, "--trust", within=orders).returncode == 0
    assert (tmp_path / "ran").exists()


def test_only_the_named_services_are_looked_at(orders: Path) -> None:
    append(orders / "Dockerfile")
    assert drifted(orders.parent, "orders") == {"Dockerfile": "changed"}
    done = svcgen("drift", "order", within=orders.parent)
    assert done.returncode == 1
    assert 'Did you mean "orders"?' in done.stderr


def test_a_service_of_this_template_has_no_drift(tmp_path: Path) -> None:
    """Of the whole template: every stack, as `svcgen new` writes it."""
    for stack in ("python", "go", "typescript", "java"):
        words = ("new", f"{stack}-one", "--stack", stack, "--calls", "stock")
        assert svcgen(*words, within=tmp_path).returncode == 0
    assert svcgen("new", "stock", "--yes", within=tmp_path).returncode == 0
    assert (tmp_path / "stock/chart/callers.yaml").exists()  # generated, not of the template
    done = svcgen("drift", within=tmp_path)
    assert (done.returncode, done.stdout) == (0, "No drift in 5 services.\n"), done.stderr


# By stack: the manifest, and a dependency of the owner after a line of the template.
OWN_DEPENDENCIES = {
    "python": ("pyproject.toml", '    "fastapi[^"]*",\n', '    "python-ulid>=3",\n'),
    "go": ("go.mod", r"\t.*google/uuid.*\n", "\tgithub.com/shopspring/decimal v1.4.0\n"),
    "typescript": ("package.json", r'    "undici": "[^"]*"', ',\n    "zod": "^4.0.0"'),
    "java": (
        "pom.xml",
        "  <dependencies>\n",
        "    <dependency>\n      <groupId>org.apache.commons</groupId>\n"
        "      <artifactId>commons-lang3</artifactId>\n    </dependency>\n",
    ),
}
# By stack: a line of the template with a version, the version that the owner gives it.
VERSIONS = {
    "python": ('"fastapi>=[^"]*"', '"fastapi>={}"'),
    "go": ("google/uuid v.*", "google/uuid v{}.0.0"),
    "typescript": ('"undici": "[^"]*"', '"undici": "^{}.0.0"'),
}


def change(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, lambda _: replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)


def test_a_dependency_that_the_owner_added_or_raised_is_no_drift(tmp_path: Path) -> None:
    (tmp_path / "svcgen.yaml").touch()
    for stack, (manifest, line, own) in OWN_DEPENDENCIES.items():
        assert svcgen("new", stack, "--stack", stack, "--yes", within=tmp_path).returncode == 0
        path = tmp_path / stack / manifest
        found = re.search(line, path.read_text())
        assert found
        change(path, line, found[0] + own)
    for stack, (line, version) in VERSIONS.items():
        change(tmp_path / stack / OWN_DEPENDENCIES[stack][0], line, version.format(99))
    go_mod = tmp_path / "go/go.mod"
    (module,) = re.findall(r"\n(\tgolang.org/x/sys .*) // indirect", go_mod.read_text())
    change(go_mod, rf"\n{re.escape(module)} // indirect", "")
    change(go_mod, r"\n\)", f"\n{module}\n)")  # the code imports it now
    assert drifted_files(tmp_path, 0) == {stack: [] for stack in OWN_DEPENDENCIES}
    for stack, (line, version) in VERSIONS.items():  # lower than the template's
        change(tmp_path / stack / OWN_DEPENDENCIES[stack][0], line, version.format(0))
    change(tmp_path / "java/pom.xml", "<java.version>25<", "<java.version>26<")
    expected = {stack: [manifest] for stack, (manifest, _, _) in OWN_DEPENDENCIES.items()}
    assert drifted_files(tmp_path, 3) == expected


def drifted_files(folder: Path, code: int) -> dict[str, list[str]]:
    services = answered(svcgen("drift", "--json", within=folder), code)["services"]
    return {one["service"]: [file["path"] for file in one["files"]] for one in services}
