"""Whole commands, timed in turn, so that a machine whose speed drifts does not bend the ratio."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

BIN = Path(sys.executable).parent
ROUNDS = 9

Prepare = Callable[[], None]


def seconds(command: Sequence[str], cwd: Path | None = None) -> float:
    """Run a command once, its output thrown away, and return its wall seconds."""
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def interleaved(
    commands: Mapping[str, Sequence[str]], prepare: Prepare = lambda: None, rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median wall seconds of each command over rounds in which each runs once."""
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for counted in range(rounds + 1):  # the first round fills caches
        for name, command in commands.items():
            prepare()
            wall = seconds(command)
            if counted:
                measured[name].append(wall)
    return {name: median(walls) for name, walls in measured.items()}


def show(title: str, walls: Mapping[str, float], base: str) -> None:
    """Print medians and their ratios to the base's as a table."""
    print(f"\n{title}\n\n| command | seconds | ratio |\n| --- | --- | --- |")
    for name, wall in walls.items():
        print(f"| {name} | {wall:.3f} | {wall / walls[base]:.2f} |")
