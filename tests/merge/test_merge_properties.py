"""Whatever the template and the user do to a service, a merge of both loses nothing.

SVCGEN_EXAMPLES=5000 looks longer: how many cases each property is tried on.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svcgen.merge.files import File, Tree, parents
from svcgen.merge.manifests import merge_manifest
from svcgen.merge.text import Labels, MergedText, merge_added, merge_text
from tests.support.trees import RULES, merged

LABELS = Labels("template v1", "template v2")
EXAMPLES = int(os.environ.get("SVCGEN_EXAMPLES", "100"))  # each may start git a few times
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "", "    f", "}"]), max_size=14)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n"])


@st.composite
def edited(draw: st.DrawFn, lines: list[str], new_lines: list[str]) -> list[str]:
    """Insert, delete, change and move blocks, up to four times."""
    lines = list(lines)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(lines)))
        end = draw(st.integers(start, min(len(lines), start + 4)))
        block, rest = lines[start:end], lines[:start] + lines[end:]
        what = draw(st.sampled_from(["insert", "delete", "change", "move"]))
        if what == "move":
            at = draw(st.integers(0, len(rest)))
            lines = rest[:at] + block + rest[at:]
        elif what == "delete":
            lines = rest
        else:
            given_ = draw(st.lists(st.sampled_from(new_lines), max_size=3))
            lines = lines[:start] + given_ + lines[start if what == "insert" else end :]
    return lines


@st.composite
def text(draw: st.DrawFn, lines: list[str]) -> bytes:
    end = draw(ENDS)
    content = "".join(line + end for line in lines)
    return (content.removesuffix(end) if draw(st.integers(0, 3)) == 0 else content).encode()


@st.composite
def three_texts(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    old = draw(LINES)
    new, mine = draw(edited(old, ["n1", "n2", "a", "}"])), draw(edited(old, ["m1", "m2", "a", "}"]))
    return draw(text(old)), draw(text(new)), draw(text(mine))


def lines_of(content: bytes) -> Counter[bytes]:
    return Counter(content.splitlines())


def added(after: bytes, before: bytes) -> Counter[bytes]:
    return lines_of(after) - lines_of(before)


def markers(merge: MergedText) -> int:
    return sum(line == b"<<<<<<< yours" for line in merge.content.splitlines())


def git_merge_file(old: bytes, new: bytes, mine: bytes) -> tuple[int, bytes]:
    with TemporaryDirectory() as folder:
        for name, content in (("mine", mine), ("old", old), ("new", new)):
            Path(folder, name).write_bytes(content)
        command = ["git", "merge-file", "-p", "mine", "old", "new"]
        done = subprocess.run(command, cwd=folder, capture_output=True)
    return done.returncode, done.stdout


@many
@given(three_texts())
def test_no_line_of_a_text_is_lost(texts: tuple[bytes, bytes, bytes]) -> None:
    old, new, mine = texts
    merge = merge_text(old, new, mine, LABELS)
    assert not added(mine, old) - lines_of(merge.content)
    assert not added(new, old) - lines_of(merge.content)
    assert markers(merge) == merge.conflicts


@many
@given(three_texts())
def test_what_git_merges_is_merged_alike(texts: tuple[bytes, bytes, bytes]) -> None:
    conflicts, content = git_merge_file(*texts)
    merge = merge_text(*texts, LABELS)
    if conflicts == 0:
        assert (merge.conflicts, merge.content) == (0, content)


@many
@given(three_texts())
def test_texts_without_an_ancestor_keep_all_lines(texts: tuple[bytes, bytes, bytes]) -> None:
    _, new, mine = texts
    merge = merge_added(new, mine, LABELS)
    assert not (lines_of(mine) | lines_of(new)) - lines_of(merge.content)
    assert markers(merge) == merge.conflicts
    assert merge.conflicts or merge.content in {new, mine}


PATHS = ["a", "b", "c", "c/d", "c/e", "c/e/f", "g/a", "g/b", "seeded/a", "seeded/b"]
CONTENTS = st.one_of(
    st.builds(lambda lines: "".join(f"{line}\n" for line in lines).encode(), LINES),
    st.sampled_from([b"\0binary", b"\0other"]),
)


@st.composite
def files(draw: st.DrawFn) -> File:
    if draw(st.integers(0, 9)) == 0:
        return File(draw(st.sampled_from([b"a", b"/tmp", b"../x"])), link=True)
    return File(draw(CONTENTS), executable=draw(st.integers(0, 4)) == 0)


def possible(tree: Tree) -> dict[str, File]:
    """Leave out what a disk cannot hold: a file in the place of a folder."""
    return {path: file for path, file in tree.items() if not set(parents(path)) & tree.keys()}


@st.composite
def edited_tree(draw: st.DrawFn, tree: Tree, who: str) -> dict[str, File]:
    after: dict[str, File] = {}
    for path, file in tree.items():
        what = draw(st.sampled_from(["leave", "leave", "edit", "delete", "run", "move", "replace"]))
        if what == "edit" and not file.link and b"\0" not in file.content:
            lines = draw(edited(file.content.decode().splitlines(), [f"{who}1", f"{who}2", "a"]))
            after[path] = File("".join(f"{line}\n" for line in lines).encode(), file.executable)
        elif what == "run" and not file.link:
            after[path] = File(file.content, not file.executable)
        elif what == "move":
            after[draw(st.sampled_from(PATHS))] = file
        elif what == "replace":
            after[path] = draw(files())
        elif what != "delete":
            after[path] = file
    return possible(after | draw(st.dictionaries(st.sampled_from(PATHS), files(), max_size=2)))


@st.composite
def three_trees(draw: st.DrawFn) -> tuple[Tree, Tree, Tree]:
    old = possible(draw(st.dictionaries(st.sampled_from(PATHS), files(), max_size=6)))
    return old, draw(edited_tree(old, "n")), draw(edited_tree(old, "m"))


def is_text(*found: File | None) -> bool:
    return not any(file and (file.link or b"\0" in file.content) for file in found)


def lost(path: str, old: File | None, side: File, after: File | None) -> str:
    """Say what of one side's change is not in the file that the merge made."""
    if after is None:
        return f"{path} is gone"
    if old and (side.link, side.content) == (old.link, old.content):
        return (
            "" if after.executable == side.executable or after.link else f"{path} has lost its mode"
        )
    old = None if old and old.link else old  # two texts that have a link as ancestor have none
    if not is_text(old, side, after):
        same = (side.link, side.content) == (after.link, after.content)
        return "" if same else f"{path} is another file"
    lines = added(side.content, old.content if old else b"") - lines_of(after.content)
    return f"{path} has lost {lines}" if lines else ""


@many
@given(three_trees())
def test_no_line_of_the_users_is_lost(trees: tuple[Tree, Tree, Tree]) -> None:
    old, new, mine = trees
    after, merge = merged(*trees)
    assert after == possible(after)
    for path, file in mine.items():
        if file != old.get(path) and file != new.get(path):
            assert not lost(path, old.get(path), file, after.get(path))
    for path in old.keys() - mine.keys() - set().union(*map(parents, mine)):
        assert path not in after, "a file that the user deleted stays deleted"
    reported = {change.path for change in merge.conflicts}
    for path, now in after.items():
        if is_text(now) and b"<<<<<<< yours" in now.content:
            assert path in reported


@many
@given(three_trees())
def test_no_line_of_the_templates_is_lost(trees: tuple[Tree, Tree, Tree]) -> None:
    old, new, _ = trees
    after, merge = merged(*trees)
    for path, file in new.items():
        if file == old.get(path) or path in merge.kept_deleted or RULES.seeded(path):
            continue
        places = [path, *(f"{at}.svcgen-v2{path[len(at) :]}" for at in [path, *parents(path)])]
        assert not all(lost(path, old.get(path), file, after.get(place)) for place in places)


@many
@given(three_trees())
def test_who_changed_nothing_gets_the_others(trees: tuple[Tree, Tree, Tree]) -> None:
    old, new, mine = trees
    for tree, expected in ((old, new), (new, new)):
        after, merge = merged(old, new, tree)
        managed = {path: file for path, file in after.items() if not RULES.seeded(path)}
        assert managed == {path: file for path, file in expected.items() if not RULES.seeded(path)}
        assert not merge.conflicts
        assert not merge.kept_deleted
    for version in (old, new):
        assert merged(version, version, mine)[0] == mine
        assert not merged(version, version, mine)[1].changes


def as_toml(wanted: dict[str, int]) -> str:
    entries = "".join(f'    "{name}>={number}.0",\n' for name, number in wanted.items())
    return f'name = "x"\ndependencies = [\n    "first==1.0",\n{entries}]\nlast = true\n'


def of_toml(content: str) -> dict[str, int]:
    entries = [entry.split(">=") for entry in tomllib.loads(content)["dependencies"][1:]]
    return {name: int(number[:-2]) for name, number in entries}


def as_json(wanted: dict[str, int]) -> str:
    dependencies = {name: f"^{number}.0.0" for name, number in wanted.items()}
    return json.dumps({"name": "x", "dependencies": {"first": "1", **dependencies}}, indent=2)


def of_json(content: str) -> dict[str, int]:
    entries = list(json.loads(content)["dependencies"].items())[1:]
    return {name: int(number[1:-4]) for name, number in entries}


def as_go(wanted: dict[str, int]) -> str:
    entries = "".join(f"\texample.com/{name} v{number}.0.0\n" for name, number in wanted.items())
    return f"module x\n\ngo 1.26.0\n\nrequire (\n\texample.com/first v1.0.0\n{entries})\n"


def of_go(content: str) -> dict[str, int]:
    entries = [line.split() for line in content.splitlines() if line.startswith("\t")][1:]
    return {name.rpartition("/")[2]: int(number[1:-4]) for name, number in entries}


def as_pom(wanted: dict[str, int]) -> str:
    """Write it as Maven does; the blocks of one's neighbours look like its own."""
    entries = "".join(
        f"    <dependency>\n      <groupId>org.example</groupId>\n"
        f"      <artifactId>{name}</artifactId>\n      <version>{number}.0</version>\n"
        "    </dependency>\n"
        for name, number in {"first": 1, **wanted}.items()
    )
    return f"<project>\n  <dependencies>\n{entries}  </dependencies>\n</project>\n"


def of_pom(content: str) -> dict[str, int]:
    dependencies = list(ElementTree.fromstring(content).iter("dependency"))[1:]
    found = [[part.text or "" for part in dependency] for dependency in dependencies]
    assert all(group == "org.example" for group, _, _ in found)
    return {name: int(number[:-2]) for _, name, number in found}


FORMATS = {
    "pyproject.toml": (as_toml, of_toml),
    "package.json": (as_json, of_json),
    "go.mod": (as_go, of_go),
    "pom.xml": (as_pom, of_pom),
}
WANTED = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 12), max_size=6)


@st.composite
def edited_list(draw: st.DrawFn, old: dict[str, int], *, removing: bool) -> dict[str, int]:
    kept = [name for name in old if not removing or draw(st.integers(0, 4))]
    after = {name: old[name] if draw(st.booleans()) else draw(st.integers(1, 12)) for name in kept}
    for name, number in draw(WANTED).items():
        if name not in old:
            place = draw(st.integers(0, len(after)))
            items = list(after.items())
            after = dict([*items[:place], (name, number), *items[place:]])
    return after


def expected(old: int, new: int, mine: int) -> int | None:
    """Return the version that is wanted: 0 for none, and None where only the owner can decide."""
    if mine in {old, new}:
        return new
    if new == old:
        return mine
    return max(new, mine) if min(new, mine) > old > 0 else None


@pytest.mark.parametrize("path", FORMATS)
@many
@given(st.data())
def test_dependencies_are_merged_by_name(path: str, data: st.DataObject) -> None:
    written, read = FORMATS[path]
    removing = data.draw(st.booleans())
    old = data.draw(WANTED)
    new, mine = (data.draw(edited_list(old, removing=removing)) for _ in range(2))
    before, theirs, ours = (written(side).encode() for side in (old, new, mine))
    merge = merge_manifest(path, before, theirs, ours, LABELS)
    both_added = (new.keys() & mine.keys()) - old.keys()
    if merge is None:  # at two places: JSON, or a list of Maven, would have the name twice
        assert path in {"package.json", "pom.xml"}
        assert both_added
        return
    sides = [[side.get(name, 0) for side in (old, new, mine)] for name in (*old, *new, *mine)]
    wanted = dict(zip((*old, *new, *mine), (expected(*side) for side in sides), strict=True))
    undecided = None in wanted.values()
    assert not merge.conflicts or removing or undecided or (path == "pom.xml" and both_added)
    if not merge.conflicts:
        assert not undecided
        found = read(merge.content.decode())
        assert found == {name: number for name, number in wanted.items() if number}
