"""Dependencies: the higher version wins, lists are joined, locks are taken whole or left."""

from __future__ import annotations

import json
import tomllib

import pytest

from svcgen.merge.files import File
from svcgen.merge.manifests import merge_manifest
from svcgen.merge.model import Rules
from svcgen.merge.text import Labels
from svcgen.merge.version_numbers import compare, numbers
from tests.support.trees import Written, merged, tree

LABELS = Labels("template v1", "template v2")

TOML = """[project]
version = "0.0.0"
requires-python = ">=3.13"
dependencies = [
    "fastapi>=0.115",
    "httpx>=0.28,<1",
    "uvicorn==0.40.0", # serves it
]

[tool.ruff]
line-length = 100
"""
JSON = """{
  "version": "0.0.0",
  "engines": {
    "node": ">=24"
  },
  "scripts": {
    "test": "node --test"
  },
  "dependencies": {
    "ajv": "^8.20.0",
    "fastify": "~5.12.8",
    "undici": "8.12.4"
  }
}
"""
GO = """module acme.com/orders

go 1.26.0

require (
\tgithub.com/google/uuid v1.6.0
\tgithub.com/jackc/pgx/v5 v5.12.0
)

require (
\tgithub.com/x/perks v0.0.0-20191010083416-a7dc8b61c822 // indirect
)
"""
POM = """<project>
  <parent>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>4.1.2</version>
  </parent>
  <version>0</version>
  <properties>
    <java.version>25</java.version>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.one</groupId>
      <artifactId>one</artifactId>
      <version>1.0.0</version>
    </dependency>
    <dependency>
      <groupId>org.two</groupId>
      <artifactId>two</artifactId>
      <version>1.0.0</version>
    </dependency>
  </dependencies>
</project>
"""
TEXTS = {"pyproject.toml": TOML, "package.json": JSON, "go.mod": GO, "pom.xml": POM}

TESTS = '\n[dependency-groups]\ndev = [\n    "fastapi>=0.100",\n]\n'

Edits = dict[str, str]


def dependency(name: str) -> str:
    lines = f"<groupId>org.{name}</groupId>", f"<artifactId>{name}</artifactId>"
    inner = "".join(f"      {line}\n" for line in lines)
    return f"    <dependency>\n{inner}    </dependency>\n"


END = "  </dependencies>\n"


def edited(text: str, edits: Edits) -> str:
    for before, after in edits.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


# name: path, the template's edits, the user's, those that the result has
SETTLED: dict[str, tuple[str, Edits, Edits, Edits]] = {
    "the template's is higher": (
        "pyproject.toml",
        {"0.115": "0.120"},
        {"0.115": "0.116"},
        {"0.115": "0.120"},
    ),
    "the user's is higher": (
        "pyproject.toml",
        {"0.115": "0.120", "0.40.0": "0.41.0"},
        {"0.115": "0.121"},
        {"0.115": "0.121", "0.40.0": "0.41.0"},
    ),
    "the user lowered it": (
        "pyproject.toml",
        {"0.115": "0.120"},
        {"0.40.0": "0.39.0"},
        {"0.115": "0.120", "0.40.0": "0.39.0"},
    ),
    "the template lowered it": (
        "pyproject.toml",
        {"0.40.0": "0.39.0", ">=3.13": ">=3.14"},
        {"0.115": "0.116"},
        {"0.115": "0.116", "0.40.0": "0.39.0", ">=3.13": ">=3.14"},
    ),
    "a cap that neither side changed": (
        "pyproject.toml",
        {">=0.28,<1": ">=0.30,<1"},
        {">=0.28,<1": ">=0.29,<1"},
        {">=0.28,<1": ">=0.30,<1"},
    ),
    "the template raised one list, the user another": (
        "pyproject.toml",
        {"fastapi>=0.115": "fastapi>=0.120"},
        {"line-length = 100\n": f"line-length = 100\n{TESTS}"},
        {
            "fastapi>=0.115": "fastapi>=0.120",
            "line-length = 100\n": f"line-length = 100\n{TESTS}",
        },
    ),
    "neighbours changed": (
        "pyproject.toml",
        {"0.115": "0.120", ">=0.28": ">=0.30"},
        {'"0.0.0"': '"1.2.0"', "0.40.0": "0.42.0", '115",': '115",\n    "mine>=1",'},
        {
            '"0.0.0"': '"1.2.0"',
            '0.115",': '0.120",\n    "mine>=1",',
            ">=0.28": ">=0.30",
            "0.40.0": "0.42.0",
        },
    ),
    "both added to the end": (
        "pyproject.toml",
        {"serves it\n": 'serves it\n    "new>=1"\n'},
        {"serves it\n": 'serves it\n    "mine>=1", # mine\n'},
        {"serves it\n": 'serves it\n    "mine>=1", # mine\n    "new>=1",\n'},
    ),
    "both added one, here and there": (
        "pyproject.toml",
        {"serves it\n": 'serves it\n    "same>=1",\n'},
        {"dependencies = [\n": 'dependencies = [\n    "same>=1",\n'},
        {"dependencies = [\n": 'dependencies = [\n    "same>=1",\n'},
    ),
    "both added one, to two lists": (
        "pyproject.toml",
        {"serves it\n": 'serves it\n    "same>=2",\n'},
        {"line-length = 100\n": 'line-length = 100\ndependencies = [\n    "same>=1",\n]\n'},
        {
            "serves it\n": 'serves it\n    "same>=2",\n',
            "line-length = 100\n": 'line-length = 100\ndependencies = [\n    "same>=1",\n]\n',
        },
    ),
    "settings of one table": (
        "pyproject.toml",
        {"line-length = 100": 'line-length = 110\nnew = { version = "1" }'},
        {"line-length = 100": 'line-length = 100\nmine = ["x"] # mine'},
        {"line-length = 100": 'line-length = 110\nmine = ["x"] # mine\nnew = { version = "1" }'},
    ),
    "one removed, one added": (
        "pyproject.toml",
        {'    "uvicorn==0.40.0", # serves it\n': ""},
        {"serves it\n": 'serves it\n    "mine>=1",\n'},
        {'    "uvicorn==0.40.0", # serves it\n': '    "mine>=1",\n'},
    ),
    "JSON's last comma": (
        "package.json",
        {'"8.12.4"': '"8.13.0",\n    "new": "1.0.0"', ">=24": ">=26"},
        {'"8.12.4"': '"8.12.9",\n    "mine": "1.0.0"', ">=24": ">=25"},
        {'"8.12.4"': '"8.13.0",\n    "mine": "1.0.0",\n    "new": "1.0.0"', ">=24": ">=26"},
    ),
    "JSON's last one removed": (
        "package.json",
        {'"~5.12.8",\n    "undici": "8.12.4"': '"~5.12.8"'},
        {'"8.12.4"': '"8.12.4",\n    "mine": "1.0.0"'},
        {'"undici": "8.12.4"': '"mine": "1.0.0"'},
    ),
    "modules of Go": (
        "go.mod",
        {"1.26.0": "1.27.0", "v5.12.0": "v5.13.0\n\tgithub.com/new/x v1.0.0"},
        {
            "1.26.0": "1.26.4",
            "v5.12.0": "v5.12.3\n\tgithub.com/mine/x v1.0.0",
            "v0.0.0-2019": "v0.0.0-2021",
        },
        {
            "1.26.0": "1.27.0",
            "v5.12.0": "v5.13.0\n\tgithub.com/mine/x v1.0.0\n\tgithub.com/new/x v1.0.0",
            "v0.0.0-2019": "v0.0.0-2021",
        },
    ),
    "Maven, each version by the name before it": (
        "pom.xml",
        {
            "4.1.2": "4.2.0",
            "two</artifactId>\n      <version>1.0.0": "two</artifactId>\n      <version>1.1.0",
        },
        {
            "4.1.2": "4.1.9",
            "one</artifactId>\n      <version>1.0.0": "one</artifactId>\n      <version>1.2.0",
        },
        {
            "4.1.2": "4.2.0",
            "one</artifactId>\n      <version>1.0.0": "one</artifactId>\n      <version>1.2.0",
            "two</artifactId>\n      <version>1.0.0": "two</artifactId>\n      <version>1.1.0",
        },
    ),
    "Maven, both added": (
        "pom.xml",
        {END: dependency("new") + END, ">25<": ">26<", ">0<": ">1<"},
        {END: dependency("mine") + END, ">0<": ">2.0<"},
        {END: dependency("mine") + dependency("new") + END, ">25<": ">26<", ">0<": ">2.0<"},
    ),
    "Maven, both added between others": (
        "pom.xml",
        {"  <dependencies>\n": "  <dependencies>\n" + dependency("new")},
        {"  <dependencies>\n": "  <dependencies>\n" + dependency("mine")},
        {"  <dependencies>\n": "  <dependencies>\n" + dependency("mine") + dependency("new")},
    ),
}


@pytest.mark.parametrize(("path", "new", "mine", "result"), SETTLED.values(), ids=SETTLED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_is_settled(path: str, new: Edits, mine: Edits, result: Edits, end: str) -> None:
    old = TEXTS[path]
    ours = edited(old, mine).replace("\n", end).encode()
    text = merge_manifest(path, old.encode(), edited(old, new).encode(), ours, LABELS)
    assert text
    assert text.content.decode().replace("\r\n", "\n") == edited(old, result)
    assert text.content.count(b"\r\n") == (text.content.count(b"\n") if end == "\r\n" else 0)
    assert not text.conflicts


CONFLICTS: dict[str, tuple[str, Edits, Edits]] = {
    "the user lowered it": ("pyproject.toml", {"0.40.0": "0.41.0"}, {"0.40.0": "0.39.0"}),
    "the user lowered Java": ("pom.xml", {">25<": ">26<"}, {">25<": ">21<"}),
    "the user lowered Go": ("go.mod", {"1.26.0": "1.27.0"}, {"1.26.0": "1.25.0"}),
    "the user held a module back": ("go.mod", {"v5.12.0": "v5.13.0"}, {"v5.12.0": "v5.11.2"}),
    "the user lowered Node": ("package.json", {">=24": ">=26"}, {">=24": ">=22"}),
    "the template lowered it": ("go.mod", {"v5.12.0": "v5.11.9"}, {"v5.12.0": "v5.12.1"}),
    "the user lowered a pin": ("package.json", {"8.12.4": "8.13.0"}, {"8.12.4": "8.11.0"}),
    "the user pinned a range": ("package.json", {"^8.20.0": "^8.21.0"}, {"^8.20.0": "8.20.1"}),
    "the user capped it": (
        "pyproject.toml",
        {">=0.28,<1": ">=0.30,<1"},
        {">=0.28,<1": ">=0.29,<0.32"},
    ),
    "the user added a cap": ("pyproject.toml", {">=0.115": ">=0.120"}, {"0.115": "0.116,<0.118"}),
    "the template moved a range": (
        "pyproject.toml",
        {">=0.28,<1": ">=1.1,<2"},
        {">=0.28,<1": ">=0.29,<1"},
    ),
    "an excluded version": (
        "pyproject.toml",
        {">=3.13": ">=3.14,!=3.14.1"},
        {">=3.13": ">=3.14,!=3.14.2"},
    ),
    "the user moved it to another list": (
        "pyproject.toml",
        {"fastapi>=0.115": "fastapi>=0.120"},
        {'    "fastapi>=0.115",\n': "", "line-length = 100\n": f"line-length = 100\n{TESTS}"},
    ),
    "both added one, at two places": (
        "pyproject.toml",
        {"serves it\n": 'serves it\n    "same>=2",\n'},
        {"dependencies = [\n": 'dependencies = [\n    "same>=1",\n'},
    ),
    "both added a module, at two places": (
        "go.mod",
        {"v5.12.0\n": "v5.12.0\n\tgithub.com/same/x v1.2.0\n"},
        {"require (\n\tgithub.com/g": "require (\n\tgithub.com/same/x v1.1.0\n\tgithub.com/g"},
    ),
    "another operator": ("pyproject.toml", {"0.115": "0.120"}, {">=0.115": "==0.115.2"}),
    "neither range is higher": (
        "pyproject.toml",
        {">=0.28,<1": ">=0.29,<2"},
        {">=0.28,<1": ">=0.30,<1"},
    ),
    "a number in a setting is no version": (
        "pyproject.toml",
        {"line-length = 100": "line-length = 1.5"},
        {"line-length = 100": "line-length = 1.2"},
    ),
    "one name, two scripts": (
        "package.json",
        {'--test"': '--test",\n    "lint": "biome"'},
        {'--test"': '--test",\n    "lint": "eslint"'},
    ),
    "a dependency raised and removed": ("go.mod", {"v1.6.0": "v1.7.0"}, {"google/uuid": "mine/id"}),
    "Maven, more than dependencies": (
        "pom.xml",
        {END: END + "  <build>\n  </build>\n"},
        {END: END + "  <profiles>\n  </profiles>\n"},
    ),
    "Maven, both added one": (
        "pom.xml",
        {END: dependency("same") + END},
        {END: dependency("same").replace("org.", "com.") + END},
    ),
}


@pytest.mark.parametrize(("path", "new", "mine"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_stays_a_conflict(path: str, new: Edits, mine: Edits) -> None:
    old = TEXTS[path]
    text = merge_manifest(
        path, old.encode(), edited(old, new).encode(), edited(old, mine).encode(), LABELS
    )
    assert text
    assert text.conflicts == 1
    for line in [*edited(old, mine).splitlines(), *edited(old, new).splitlines()]:
        assert line in text.content.decode()


def test_what_would_no_longer_be_json_is_kept_beside() -> None:
    new = edited(JSON, {'{\n  "version"': '{\n  "type": "module",\n  "version"'})
    mine = edited(JSON, {"\n  }\n}": '\n  },\n  "type": "commonjs"\n}'})
    rules = Rules(lambda _: False, {"package.json": ()}, "v1", "v2")
    after, merge = merged(
        tree({"package.json": JSON}),
        tree({"package.json": new}),
        tree({"package.json": mine}),
        rules,
    )
    assert after == tree({"package.json": mine, "package.json.svcgen-v2": new})
    assert [change.path for change in merge.conflicts] == ["package.json"]


def test_results_can_be_read() -> None:
    for path, new, mine, _ in SETTLED.values():
        old = TEXTS[path]
        text = merge_manifest(
            path, old.encode(), edited(old, new).encode(), edited(old, mine).encode(), LABELS
        )
        assert text
        if path == "package.json":
            json.loads(text.content)
        elif path == "pyproject.toml":
            tomllib.loads(text.content.decode())


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("1.2", "1.2.1"),
        ("1.2.0rc1", "1.2.0"),
        ("1.2.0-beta.2", "1.2.0-beta.10"),
        ("1.2.0-SNAPSHOT", "1.2"),
        ("1.2", "1.2.post1"),
        ("v0.0.0-20191010083416-a7dc8b61c822", "v0.0.0-20211010083416-07dc8b61c822"),
        ("9" * 5000, "1" + "0" * 5000),
    ],
)
def test_versions_are_compared(lower: str, higher: str) -> None:
    assert compare([lower], [higher]) == -1
    assert compare([higher], [lower]) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("1.2", "1.2.0"), ("1.2.Final", "1.2"), ("v2.0.0+incompatible", "v2.0.0")]
)
def test_versions_are_equal(one: str, other: str) -> None:
    assert compare([one], [other]) == 0


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ("pyproject.toml", "    \"a-1>=1.2,<2; python_version<'3.14'\",", ("1.2", "2", "3.14")),
        ("pyproject.toml", 'target-version = "py313" # since 1.2', ()),
        ("pyproject.toml", "timeout = 1.5", ()),
        ("package.json", '"h3-2": "npm:x@^1.0.0-rc.1",', ("1.0.0-rc.1",)),
        ("package.json", '"port": "8080",', ()),
        ("go.mod", "\tgithub.com/x/v2 v2.3.0 // indirect", ("2.3.0",)),
        ("go.mod", "go 1.26.0", ("1.26.0",)),
        ("pom.xml", "<minimum>0.80</minimum>", ()),
        ("pom.xml", "<java.version>25</java.version>", ("25",)),
        ("requirements.in", "a1==1.2", ("1.2",)),
    ],
)
def test_where_versions_stand(path: str, line: str, found: tuple[str, ...]) -> None:
    assert numbers(path, line) == found


LOCKED = Rules(lambda _: False, {"go.mod": ("go.sum", "go.work.sum")}, "v1", "v2")
RAISED = edited(GO, {"v1.6.0": "v1.7.0"})
OWN = edited(GO, {"v5.12.0": "v5.12.0\n\tgithub.com/mine/x v1.0.0"})
BOTH = edited(GO, {"v1.6.0": "v1.7.0", "v5.12.0": "v5.12.0\n\tgithub.com/mine/x v1.0.0"})

# name: the template's old and new tree, the user's, the result, whether a lock is needed
LOCKS: dict[str, tuple[Written, Written, Written, Written, bool]] = {
    "nobody changed anything": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": OWN, "go.sum": "own"},
        {"go.mod": OWN, "go.sum": "own"},
        False,
    ),
    "the user changed neither": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        False,
    ),
    "the user did the same": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": RAISED, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        False,
    ),
    "the user has dependencies": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": OWN, "go.sum": "own"},
        {"go.mod": BOTH, "go.sum": "own"},
        True,
    ),
    "the user made the lock anew": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": GO, "go.sum": "own"},
        {"go.mod": RAISED, "go.sum": "own"},
        True,
    ),
    "of two locks all or none": (
        {"go.mod": GO, "go.sum": "1", "go.work.sum": "1"},
        {"go.mod": GO, "go.sum": "2", "go.work.sum": "2"},
        {"go.mod": GO, "go.sum": "1", "go.work.sum": "own"},
        {"go.mod": GO, "go.sum": "1", "go.work.sum": "own"},
        True,
    ),
    "a lock is new": (
        {"go.mod": GO},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": OWN},
        {"go.mod": BOTH, "go.sum": "2"},
        True,
    ),
    "a lock is gone": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": GO},
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": GO},
        False,
    ),
    "the user deleted the lock": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.mod": GO},
        {"go.mod": RAISED},
        False,
    ),
    "the user deleted the manifest": (
        {"go.mod": GO, "go.sum": "1"},
        {"go.mod": RAISED, "go.sum": "2"},
        {"go.sum": "1"},
        {"go.sum": "1"},
        False,
    ),
    "both are gone": ({"go.mod": GO, "go.sum": "1"}, {}, {"go.mod": GO, "go.sum": "1"}, {}, False),
}


@pytest.mark.parametrize(("old", "new", "mine", "result", "needed"), LOCKS.values(), ids=LOCKS)
def test_locks(old: Written, new: Written, mine: Written, result: Written, needed: bool) -> None:
    after, merge = merged(tree(old), tree(new), tree(mine), LOCKED)
    assert after == tree(result)
    assert merge.lock_needed == needed
    assert not merge.conflicts


def test_a_manifest_is_one_by_its_place() -> None:
    """Elsewhere a line with a version is a line like any other."""
    old, new, mine = (tree({"docs/go.mod": f"go 1.{minor}\n"}) for minor in (1, 2, 3))
    after, merge = merged(old, new, mine, LOCKED)
    assert len(merge.conflicts) == 1
    assert isinstance(after["docs/go.mod"], File)
