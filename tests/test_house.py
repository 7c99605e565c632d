"""`scripts/house.py` on a tree of four modules whose numbers are known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.repository import REPOSITORY

MODULES = {
    "__init__": "",
    "__main__": """
import os
import sys
from pathlib import Path
from svcgen import first
if sys.argv[1] == "up":
    sys.exit("Error: no engine here")
if sys.argv[1] == "update" and not os.fork():
    first.update()
    os._exit(0)
if sys.argv[1] == "update":
    os.wait()
if sys.argv[1] == "new":
    Path(sys.argv[2]).write_text("")
first.run()
""",
    "first": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from svcgen.second import Table
class Table: ...
def run():
    return [_twice() for _ in range(2)] + [_twice()]
def _twice():
    return [lambda: 1]
def update():
    from svcgen import third
    third.update()
""",
    "second": """
import svcgen.first
class Table:
    def _once(self): ...
    def print(self):
        return self._once()
""",
    "third": """
from svcgen.first import run
def update(): ...
""",
}


def test_a_small_tree_is_measured(tmp_path: Path) -> None:
    package = tmp_path / "src/svcgen"
    package.mkdir(parents=True)
    for name, text in MODULES.items():
        (package / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "scripts.house", "--tree", str(tmp_path), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("modules", "functions")} == {
        "modules": 5,
        "functions": 6,
    }
    assert found["private_functions_used_once"] == 1
    assert found["largest_module"] == "svcgen.__main__"
    assert found["repeated_classes"] == {"Table": ["svcgen.first", "svcgen.second"]}
    assert list(found["cycles"].values()) == [
        [],
        [["svcgen.first", "svcgen.third"]],
        [["svcgen.first", "svcgen.second", "svcgen.third"]],
    ]
    assert found["entered"] == {
        "new": {"modules": 1, "functions": 2, "with_class_bodies": 3},
        "compose": {"modules": 1, "functions": 2, "with_class_bodies": 3},
        "up NAME": {"reason": "Error: no engine here"},
        "update NAME": {"modules": 2, "functions": 4, "with_class_bodies": 5},
    }
