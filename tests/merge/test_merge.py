"""What an update makes of each file: the rules, case by case."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from svcgen.errors import SvcgenError
from svcgen.merge.files import File, read_tree, remove_file, write_file
from svcgen.merge.merge import merge, paths_to_read
from svcgen.merge.model import Rules, is_beside
from svcgen.merge.text import Labels, merge_text
from tests.support.trees import RULES, Written, link, merged, program, tree

LABELS = Labels("template v1", "template v2")
LONG = "".join(f"line {number}\n" for number in range(20))
MARKED = "<<<<<<< yours\nmine\n||||||| template v1\nold\n=======\nnew\n>>>>>>> template v2\n"
CALLED = "changed by you and by v2"
ADDED = "added by you and by v2"
BESIDE = f"{CALLED}, and cannot be merged: the template's is a.svcgen-v2"
HERE = "changed by you: yours is still here"
IN_THE_WAY = "{0} is in the way: the template's {1} is {2}"

# name: the template's old and new tree, the user's, the result, {path in conflict: why}
CASES: dict[str, tuple[Written, Written, Written, Written, dict[str, str]]] = {
    "the template left it": ({"a": "1"}, {"a": "1"}, {"a": "2"}, {"a": "2"}, {}),
    "the user left it": ({"a": "1"}, {"a": "2"}, {"a": "1"}, {"a": "2"}, {}),
    "both made the same": ({"a": "1"}, {"a": "2"}, {"a": "2"}, {"a": "2"}, {}),
    "the user deleted it": ({"a": "1"}, {"a": "2"}, {}, {}, {}),
    "both deleted it": ({"a": "1"}, {}, {}, {}, {}),
    "added": ({}, {"a/b": "1"}, {"own": "x"}, {"a/b": "1", "own": "x"}, {}),
    "deleted": ({"a": "1"}, {}, {"a": "1"}, {}, {}),
    "deleted and changed": (
        {"a": "1\n"},
        {},
        {"a": "2\n"},
        {"a": "2\n"},
        {"a": f"deleted by v2, {HERE}"},
    ),
    "renamed": ({"a": LONG}, {"b": LONG}, {"a": LONG}, {"b": LONG}, {}),
    "renamed and changed": (
        {"a": LONG, "c": "x\n"},
        {"b": LONG + "new\n", "c": "x\n", "d": "x\n"},
        {"a": "mine\n" + LONG, "c": "x\n"},
        {"a": "mine\n" + LONG, "b": LONG + "new\n", "c": "x\n", "d": "x\n"},
        {"a": f"renamed to b by v2, {HERE}"},
    ),
    "a folder renamed and a file in it changed": (
        {"a/one.py": LONG, "a/two.py": LONG.upper(), "a/__init__.py": ""},
        {"b/one.py": LONG, "b/two.py": LONG.upper(), "b/__init__.py": ""},
        {"a/one.py": LONG, "a/two.py": "mine", "a/__init__.py": "", "a/own.py": "own"},
        {
            "a/two.py": "mine",
            "a/own.py": "own",
            "b/one.py": LONG,
            "b/two.py": LONG.upper(),
            "b/__init__.py": "",
        },
        {"a/two.py": f"renamed to b/two.py by v2, {HERE}"},
    ),
    "of two that are alike, the one that kept its name": (
        {"a/x": LONG},
        {"b/w": LONG, "b/x": LONG, "b/z": LONG},
        {"a/x": "mine"},
        {"a/x": "mine", "b/w": LONG, "b/x": LONG, "b/z": LONG},
        {"a/x": f"renamed to b/x by v2, {HERE}"},
    ),
    "both changed, apart": (
        {"a": LONG},
        {"a": LONG + "new\n"},
        {"a": "mine\n" + LONG},
        {"a": "mine\n" + LONG + "new\n"},
        {},
    ),
    "both changed one line": (
        {"a": "old\n"},
        {"a": "new\n"},
        {"a": "mine\n"},
        {"a": MARKED},
        {"a": f"{CALLED}, in 1 place"},
    ),
    "both added the same": ({}, {"a": "1\n"}, {"a": "1\n"}, {"a": "1\n"}, {}),
    "both added": (
        {},
        {"a": "same\nnew\n"},
        {"a": "same\nmine\n"},
        {"a": "same\n<<<<<<< yours\nmine\n=======\nnew\n>>>>>>> template v2\n"},
        {"a": f"{ADDED}, in 1 place"},
    ),
    "binary": ({"a": b"\0a"}, {"a": b"\0b"}, {"a": b"\0a"}, {"a": b"\0b"}, {}),
    "both changed a binary": (
        {"a": b"\0a"},
        {"a": b"\0b"},
        {"a": b"\0c"},
        {"a": b"\0c", "a.svcgen-v2": b"\0b"},
        {"a": BESIDE},
    ),
    "what lies beside already is the user's by now": (
        {"a": b"\0a"},
        {"a": b"\0b"},
        {"a": b"\0c", "a.svcgen-v2": "tried before"},
        {"a": b"\0c", "a.svcgen-v2": "tried before"},
        {"a": BESIDE},
    ),
    "both changed a binary to the same": (
        {"a": b"\0a"},
        {"a": File(b"\0b", executable=True)},
        {"a": b"\0b"},
        {"a": File(b"\0b", executable=True)},
        {},
    ),
    "the template lets it run": (
        {"a": "1"},
        {"a": program("1")},
        {"a": "2"},
        {"a": program("2")},
        {},
    ),
    "the user lets it run": (
        {"a": "1"},
        {"a": "2"},
        {"a": program("1")},
        {"a": program("2")},
        {},
    ),
    "the template lets it no longer run": (
        {"a": program(LONG)},
        {"a": LONG + "new\n"},
        {"a": program("mine\n" + LONG)},
        {"a": "mine\n" + LONG + "new\n"},
        {},
    ),
    "both added, one can run": ({}, {"a": program("1")}, {"a": "1"}, {"a": program("1")}, {}),
    "a link moved": ({"a": link("x")}, {"a": link("y")}, {"a": link("x")}, {"a": link("y")}, {}),
    "both moved a link": (
        {"a": link("x")},
        {"a": link("y")},
        {"a": link("z")},
        {"a": link("z"), "a.svcgen-v2": link("y")},
        {"a": BESIDE},
    ),
    "the user made a link of it": (
        {"a": "1"},
        {"a": "2"},
        {"a": link("/etc/passwd")},
        {"a": link("/etc/passwd"), "a.svcgen-v2": "2"},
        {"a": BESIDE},
    ),
    "the template made a link of it": (
        {"a": "1"},
        {"a": link("x")},
        {"a": "2"},
        {"a": "2", "a.svcgen-v2": link("x")},
        {"a": BESIDE},
    ),
    "both made files of a link": (
        {"a": link("x")},
        {"a": "same\nnew\n"},
        {"a": "same\nmine\n"},
        {"a": "same\n<<<<<<< yours\nmine\n=======\nnew\n>>>>>>> template v2\n"},
        {"a": f"{CALLED}, in 1 place"},
    ),
    "the template made a folder of a file": (
        {"a": "1"},
        {"a/b": "2"},
        {"a": "1"},
        {"a/b": "2"},
        {},
    ),
    "the template made a folder of a file that the user changed": (
        {"a": "1"},
        {"a/b": "2"},
        {"a": "mine"},
        {"a": "mine", "a.svcgen-v2/b": "2"},
        {
            "a": f"deleted by v2, {HERE}",
            "a.svcgen-v2/b": IN_THE_WAY.format("a", "a/b", "a.svcgen-v2/b"),
        },
    ),
    "the template made a file of a folder": (
        {"a/b": "1"},
        {"a": "2"},
        {"a/b": "1"},
        {"a": "2"},
        {},
    ),
    "the template made a file of a folder that holds a file of the user's": (
        {"a/b": "1"},
        {"a": "2"},
        {"a/b": "1", "a/own": "own"},
        {"a/own": "own", "a.svcgen-v2": "2"},
        {"a.svcgen-v2": IN_THE_WAY.format("a", "a", "a.svcgen-v2")},
    ),
    "the user made a folder of a file": (
        {"a": "1"},
        {"a": "2"},
        {"a/own": "own"},
        {"a/own": "own", "a.svcgen-v2": "2"},
        {"a.svcgen-v2": IN_THE_WAY.format("a", "a", "a.svcgen-v2")},
    ),
    "the user's link is in the way of a folder": (
        {},
        {"a/b/c": "1"},
        {"a": link("/tmp")},
        {"a": link("/tmp"), "a.svcgen-v2/b/c": "1"},
        {"a.svcgen-v2/b/c": IN_THE_WAY.format("a", "a/b/c", "a.svcgen-v2/b/c")},
    ),
    "the user made a link of a folder": (
        {"a/b": "1"},
        {"a/b": "2"},
        {"a": link("elsewhere")},
        {"a": link("elsewhere")},
        {},
    ),
    "seeded, and left alone": (
        {"seeded/a": "1", "seeded/b": "1"},
        {"seeded/a": "2"},
        {"seeded/a": "1", "seeded/b": "1"},
        {"seeded/a": "1", "seeded/b": "1"},
        {},
    ),
    "seeded, and the user deleted it": ({"seeded/a": "1"}, {"seeded/a": "2"}, {}, {}, {}),
    "seeded, and new": ({}, {"seeded/a": "1"}, {}, {"seeded/a": "1"}, {}),
    "seeded, new, and the user has one": (
        {},
        {"seeded/a": "1"},
        {"seeded/a": "2"},
        {"seeded/a": "2"},
        {},
    ),
    "answers are the template's": (
        {".copier-answers.yml": "1"},
        {".copier-answers.yml": "2"},
        {".copier-answers.yml": "mine"},
        {".copier-answers.yml": "2"},
        {},
    ),
    "no text, but no NUL": (
        {"a": b"\xff\n" + LONG.encode()},
        {"a": b"\xff\n" + LONG.encode() + b"\xfe\n"},
        {"a": b"\xfd\n\xff\n" + LONG.encode()},
        {"a": b"\xfd\n\xff\n" + LONG.encode() + b"\xfe\n"},
        {},
    ),
}


@pytest.mark.parametrize(("old", "new", "mine", "result", "conflicts"), CASES.values(), ids=CASES)
def test_each_case(
    old: Written, new: Written, mine: Written, result: Written, conflicts: dict[str, str]
) -> None:
    after, merge = merged(tree(old), tree(new), tree(mine))
    assert after == tree(result)
    assert {change.path: change.conflict for change in merge.conflicts} == conflicts


@pytest.mark.parametrize(("old", "new", "mine", "result", "conflicts"), CASES.values(), ids=CASES)
def test_the_same_on_a_disk(
    tmp_path: Path,
    old: Written,
    new: Written,
    mine: Written,
    result: Written,
    conflicts: dict[str, str],
) -> None:
    for path, file in tree(mine).items():
        write_file(tmp_path, path, file)
    seen = read_tree(tmp_path, paths_to_read(tree(old), tree(new), RULES))
    merge_ = merge(tree(old), tree(new), seen, RULES)
    for change in merge_.changes:
        if change.after:
            write_file(tmp_path, change.path, change.after)
        else:
            remove_file(tmp_path, change.path)
    assert read_tree(tmp_path) == tree(result)
    assert {change.path for change in merge_.conflicts} == conflicts.keys()


def test_what_the_user_deleted_and_the_template_changed_is_listed() -> None:
    old = tree({"a": "1", "b": "1", "c": "1", "seeded/d": "1"})
    new = tree({"a": "2", "b": "1", "seeded/d": "2"})
    _, merge = merged(old, new, {})
    assert merge.kept_deleted == ("a",)


@pytest.mark.parametrize(
    "path", ["../a", "a/../../b", "/a", "a//b", "./a", ".git/hooks/post-merge", "a/.GIT/x", "a\0b"]
)
def test_a_path_that_leaves_the_service_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(SvcgenError, match="template writes"):
        merge({}, tree({path: "x"}), {}, RULES)
    with pytest.raises(SvcgenError, match="template writes"):
        write_file(tmp_path, path, File(b"x"))


@pytest.mark.parametrize("version", ["v2", "../v 2", ""])
def test_what_lies_beside_is_known_by_its_name(version: str) -> None:
    rules = Rules(lambda _: False, {}, "v1", version)
    after, _ = merged({}, tree({"a/b": "1"}), tree({"a": "2"}), rules)
    assert [path for path in after if is_beside(path, version)] == [f"{rules.beside('a')}/b"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    service = tmp_path / "service"
    service.mkdir()
    (service / "folder").symlink_to(outside)
    (service / "file").symlink_to(outside / "kept")
    for path in ("folder/new", "folder/kept"):
        with pytest.raises(SvcgenError, match="folder is not a folder"):
            write_file(service, path, File(b"x"))
        with pytest.raises(SvcgenError, match="folder is not a folder"):
            remove_file(service, path)
    write_file(service, "file", File(b"mine"))
    assert (service / "file").read_text() == "mine"
    assert read_tree(outside) == tree({"kept": "kept"})
    assert read_tree(service, ["folder/kept"]) == {"folder": link(str(outside))}


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SvcgenError, match="pipe is neither"):
        read_tree(tmp_path, ["pipe"])


@pytest.mark.parametrize(
    ("before", "executable", "after"),
    [(0o600, False, 0o600), (0o640, True, 0o750), (0o755, False, 0o644), (0o711, True, 0o711)],
)
def test_a_file_keeps_its_permissions(
    tmp_path: Path, before: int, executable: bool, after: int
) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "a").chmod(before)
    write_file(tmp_path, "a", File(b"2", executable))
    assert (tmp_path / "a").stat().st_mode & 0o777 == after
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    write_file(tmp_path, "folder/own", File(b"own"))
    for path in ("folder", "x" * 300):
        with pytest.raises(SvcgenError, match="cannot be written"):
            write_file(tmp_path, path, File(b"x"))
    assert read_tree(tmp_path) == tree({"folder/own": "own"})
    assert read_tree(tmp_path, ["x" * 300]) == {}


def test_removing_the_last_file_removes_its_folders(tmp_path: Path) -> None:
    write_file(tmp_path, "a/b/c", File(b"1"))
    write_file(tmp_path, "a/d", File(b"1"))
    remove_file(tmp_path, "a/b/c")
    assert not (tmp_path / "a/b").exists()
    remove_file(tmp_path, "a/gone")
    assert read_tree(tmp_path) == tree({"a/d": "1"})


LINES = "a\nb\nc\nd\ne\n"


@pytest.mark.parametrize(
    ("old", "new", "mine", "result"),
    [
        (
            LINES,
            LINES + "new\n",
            LINES.replace("\n", "\r\n"),
            f"{LINES}new\n".replace("\n", "\r\n"),
        ),
        (
            LINES.replace("\n", "\r\n"),
            f"{LINES}new\n",
            LINES.replace("\n", "\r\n"),
            f"{LINES}new\n",
        ),
        (
            LINES,
            LINES.replace("\n", "\r\n"),
            f"{LINES}mine\n",
            f"{LINES}mine\n".replace("\n", "\r\n"),
        ),
        (LINES, f"new\n{LINES}", LINES[:-1], f"new\n{LINES}"[:-1]),
        (LINES, f"{LINES}new\n", LINES[:-1], f"{LINES}new"),
        (LINES[:-1], f"{LINES}new\n", LINES, f"{LINES}new\n"),
        (LINES[:-1], f"{LINES}new", f"mine\n{LINES}"[:-1], f"mine\n{LINES}new"),
        (
            LINES,
            f"{LINES}new\n",
            LINES.replace("\n", "\r\n")[:-2],
            f"{LINES}new".replace("\n", "\r\n"),
        ),
    ],
)
def test_line_ends_are_merged_apart_from_lines(old: str, new: str, mine: str, result: str) -> None:
    text = merge_text(old.encode(), new.encode(), mine.encode(), LABELS)
    assert (text.content.decode(), text.conflicts) == (result, 0)


def test_markers_end_their_lines_as_the_user_does() -> None:
    text = merge_text(b"old\n", b"new\n", b"mine\r\nx", LABELS)
    assert text.conflicts == 1
    assert text.content == MARKED.replace("mine\n", "mine\nx\n").replace("\n", "\r\n").encode()


def test_a_large_file_is_merged(tmp_path: Path) -> None:
    large = b"".join(b"line %d\n" % number for number in range(300_000))
    text = merge_text(large, large + b"new\n", b"mine\n" + large, LABELS)
    assert text.content == b"mine\n" + large + b"new\n"
    write_file(tmp_path, "large", File(text.content))
    assert read_tree(tmp_path, ["large"]) == {"large": File(text.content)}


@pytest.mark.usefixtures("no_git")
def test_git_is_only_started_for_what_both_have_changed() -> None:
    apart = CASES["the user left it"], CASES["renamed and changed"], CASES["both moved a link"]
    for old, new, mine, result, _ in apart:
        assert merged(tree(old), tree(new), tree(mine))[0] == tree(result)
    with pytest.raises(SvcgenError, match="git is not installed"):
        merged(tree({"a": "old"}), tree({"a": "new"}), tree({"a": "mine"}))


@pytest.fixture
def no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def test_versions_name_the_markers_whatever_they_are() -> None:
    rules = Rules(lambda _: False, {}, "v1\n>>>>>>> x", "../v2")
    after, _ = merged(
        tree({"a": "1\n", "b": b"\0"}),
        tree({"a": "2\n", "b": b"\0n"}),
        tree({"a": "3\n", "b": b"\0m"}),
        rules,
    )
    assert after["b.svcgen-..-v2"] == File(b"\0n")
    assert after["a"].content.splitlines()[2] == b"||||||| template v1 >>>>>>> x"


def test_settings_of_the_users_git_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text("[merge]\n\tconflictStyle = nonsense\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert merge_text(b"old\n", b"new\n", b"mine\n", LABELS).content.decode() == MARKED
