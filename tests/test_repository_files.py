"""The files around the source: workflows, forms, hooks, locks, line endings and `.ci/run`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(set(GITHUB.glob("ISSUE_TEMPLATE/*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"})
SHELL = [REPOSITORY / ".ci/run", *sorted(REPOSITORY.glob("src/**/*.sh"))]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def schema(name: str) -> tuple[str, ...]:
    return ("check-jsonschema", "--quiet", f"--builtin-schema=vendor.{name}")


@pytest.mark.parametrize(
    ("checker", "files"),
    [
        (("actionlint", "-no-color"), WORKFLOWS),
        (("zizmor", "--offline", "--no-progress"), [*WORKFLOWS, GITHUB / "dependabot.yml"]),
        (schema("github-workflows"), WORKFLOWS),
        (schema("dependabot"), [GITHUB / "dependabot.yml"]),
        (schema("github-issue-forms"), FORMS),
        (schema("github-issue-config"), [GITHUB / "ISSUE_TEMPLATE/config.yml"]),
        (("pre-commit", "validate-config"), [REPOSITORY / ".pre-commit-config.yaml"]),
        (("shellcheck", "--severity=warning"), SHELL),
    ],
    ids=[
        *("actionlint", "zizmor", "workflows", "dependabot", "issue-forms", "issue-config"),
        *("pre-commit", "shellcheck"),
    ],
)
def test_a_checker_finds_no_fault(checker: tuple[str, ...], files: list[Path]) -> None:
    assert files
    program = Path(sys.executable).with_name(checker[0])
    command = [str(program), *checker[1:], *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_of_pre_commit_are_programs_of_the_environment() -> None:
    hooks = re.findall(r"entry: (\S+)", (REPOSITORY / ".pre-commit-config.yaml").read_text())
    assert hooks
    assert [hook for hook in hooks if not shutil.which(REPOSITORY / hook)] == []


def test_workflows_are_pinned_as_the_template_is_and_may_only_read() -> None:
    pin = re.compile(r"([\w-]+/[\w-]+)@([0-9a-f]{40}),? #? ?(?:version: )?(v\d+\.\d+\.\d+)")
    template = REPOSITORY / "template/.github/workflows/ci.yml.jinja"
    theirs = {
        action: (commit, version)
        for file in (REPOSITORY / "copier.yml", template)
        for action, commit, version in pin.findall(file.read_text())
    }
    for file in WORKFLOWS:
        text = file.read_text()
        pins = pin.findall(text)
        assert len(pins) == text.count("uses:")
        for action, commit, version in pins:
            assert theirs.get(action, (commit, version)) == (commit, version)
        assert "\npermissions: {}\n" in text
        assert set(re.findall(r"\n +permissions: (.*)", text)) == {"{contents: read}"}


def locked(name: str) -> set[tuple[str, str]]:
    """Return packages and versions of a lock; markers may give a package two versions."""
    text = (REPOSITORY / name).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\w)", text)[1:]
    pins = [re.match(r"([\w.-]+)==([\w.]+)(?= ).*--hash=sha256:", entry, re.S) for entry in entries]
    assert all(pins)
    return {(pin[1], pin[2]) for pin in pins if pin}


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.txt", ("local",)),
        ("requirements-dev.txt", ("local", "dev")),
    ],
)
def test_a_lock_has_what_the_project_requires(lock: str, groups: tuple[str, ...]) -> None:
    """`make lock` writes it again."""
    project = PROJECT["project"]
    by_group = {**project["optional-dependencies"], **PROJECT["dependency-groups"]}
    required = [*project["dependencies"], *(one for name in groups for one in by_group[name])]
    pins = locked(lock)
    for requirement in map(Requirement, required):
        versions = [
            version for name, version in pins if name == canonicalize_name(requirement.name)
        ]
        assert versions, requirement
        assert [*requirement.specifier.filter(versions)] == versions, requirement


def test_both_locks_have_the_same_versions() -> None:
    assert locked("requirements.txt") <= locked("requirements-dev.txt")


def test_text_files_are_as_editors_are_asked_to_write_them() -> None:
    command = ["git", "ls-files", "-z", "--eol"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True)
    ends = {}
    for line in listed.stdout.split("\0")[:-1]:
        attributes, _, name = line.partition("\t")
        ends[name] = attributes.split()[0]
    assert {name for name, end in ends.items() if end not in {"i/lf", "i/none"}} == {
        "src/svcgen/releases.bundle"
    }
    texts = {name: (REPOSITORY / name).read_text() for name, end in ends.items() if end == "i/lf"}
    assert [name for name, text in texts.items() if not text.endswith("\n")] == []
    assert [name for name, text in texts.items() if re.search(r"[ \t]+$", text, re.M)] == []


ALL = "docker,helm,jq,local,go,java,typescript"


class Clone:
    """A clone with `.ci/run` and the tests, on a machine that has few programs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        self.programs = root / "programs"
        folder = root / "clone"
        (folder / ".ci").mkdir(parents=True)
        shutil.copy(REPOSITORY / ".ci/run", folder / ".ci/run")
        for name in ("tests", "copier.yml"):
            (folder / name).symlink_to(REPOSITORY / name)
        self.stub("clone/.venv/bin/python", f'exec "{sys.executable}" "$@"')
        self.stub("programs/make", f'echo make "$@" $SVCGEN_REQUIRE >> "{self.calls}"')
        for name in ("bash", "sh", "dirname"):
            (self.programs / name).symlink_to(str(shutil.which(name)))

    def stub(self, path: str, script: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def run(self) -> tuple[list[str], list[str]]:
        """Run `.ci/run`; return what it ran, and the names of what it skips."""
        environment = {"PATH": str(self.programs), "XDG_CACHE_HOME": str(self.root / "cache")}
        command = [str(self.root / "clone/.ci/run")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        skipped = re.findall(r"^skipped: what needs (\w+): \w", done.stderr, re.MULTILINE)
        return self.calls.read_text().splitlines(), skipped


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_ci_skips_what_the_machine_lacks_and_names_it(clone: Clone) -> None:
    """Python brings PostgreSQL, Envoy and Node; Go, a JDK and Maven are not on PATH."""
    clone.stub("programs/docker", "echo no engine >&2; exit 1")
    calls, skipped = clone.run()
    assert skipped == ["docker", "helm", "jq", "go", "java"]
    assert calls == [
        "make .venv/developing",
        "make test local,typescript",
    ]


def test_ci_requires_what_the_machine_has(clone: Clone) -> None:
    for name in ("docker", "helm", "jq", "go", "javac", "mvn"):
        clone.stub(f"programs/{name}", "echo version 99.0")
    calls, skipped = clone.run()
    assert skipped == []
    assert calls == [
        "make .venv/developing",
        f"make test {ALL}",
    ]


def test_ci_requires_all_where_its_tools_are_beside_the_clone(clone: Clone) -> None:
    for name in ("engine", "images", "clis"):
        clone.stub(f"shared/tools/{name}", f'echo {name} >> "{clone.calls}"')
    calls, skipped = clone.run()
    assert skipped == []
    assert calls == [
        "make .venv/developing",
        "engine",
        "images",
        "clis",
        f"make test {ALL}",
    ]
