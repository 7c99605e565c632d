"""`svcgen new` against `copier copy` of the same template."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import timing

REPOSITORY = Path(__file__).parents[1]


def main() -> None:
    """Print the table; aim: not slower than plain Copier."""
    with tempfile.TemporaryDirectory() as folder:
        template, target = Path(folder, "template"), Path(folder, "orders")
        subprocess.run(["git", "clone", "-q", REPOSITORY, template], check=True)
        copy = ["copy", "--quiet", "--defaults", "--vcs-ref", "HEAD", "-d", "name=orders"]
        commands = {
            "copier copy": [str(timing.BIN / "copier"), *copy, str(template), str(target)],
            "svcgen new": [str(timing.BIN / "svcgen"), "new", "orders", str(target)],
        }
        walls = timing.interleaved(commands, lambda: shutil.rmtree(target, ignore_errors=True))
        timing.show("One service", walls, "copier copy")


if __name__ == "__main__":
    main()
