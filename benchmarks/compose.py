"""`svcgen compose` over 10, 100 and 1,000 service folders on disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import median

import timing

from svcgen.commands.new import new_service
from svcgen.render.answers import Answers

SIZES = (10, 100, 1000)
ROUNDS = 5
TEXTS = {".md", ".yml", ".yaml", ".json"}


def main() -> None:
    """Print seconds, and seconds a service against the smallest size; aim: 1,000 in 3 s."""
    print("\nStitching\n\n| services | seconds | ms a service |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "shop")
        made = new_service(Path(folder, "made") / "model", Answers({"name": "model"})).folder
        for size in SIZES:
            _grow(root, made, size)
            wall = median(_composed(root) for _ in range(ROUNDS))
            print(f"| {size} | {wall:.2f} | {wall / size * 1000:.2f} |")


def _grow(root: Path, model: Path, size: int) -> None:
    """Copy the model under new names until there are so many services."""
    for number in range(size):
        folder = root / f"team{number % 10}" / f"svc{number:04}"
        if not folder.exists():
            shutil.copytree(model, folder)
            _rename(folder, folder.name)


def _rename(folder: Path, name: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in TEXTS:
            path.write_text(path.read_text().replace("model", name).replace("MODEL", name.upper()))


def _composed(root: Path) -> float:
    for left in (root / "compose.yaml", root / "gateway"):
        shutil.rmtree(left, ignore_errors=True)
        left.unlink(missing_ok=True)
    return timing.seconds([str(timing.BIN / "svcgen"), "compose"], cwd=root)


if __name__ == "__main__":
    main()
