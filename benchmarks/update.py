"""`svcgen update --all` against a loop of `copier update`, and how it grows with the fleet.

Takes minutes: the loop needs seconds a service. `PYTHONPATH=. python benchmarks/update.py`
"""

from __future__ import annotations

import itertools
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import timing

from tests.support.fleet import cases, engines, evolution
from tests.support.fleet import tree as trees
from tests.support.fleet.cases import Case, History
from tests.support.fleet.repository import commit_all, surroundings, write_repository

# Services, and how often each size is measured.
SIZES = {1: 5, 10: 3, 100: 1}
GROWTH = (100, 250, 500)
SAMPLED_SECONDS = 0.05
OURS = (str(timing.BIN / "svcgen"), "update", "--all", "--json")
COPIER = (str(timing.BIN / "copier"), "update", "--quiet", "--defaults")


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock and of the processors, and the most memory held at once, in MiB."""

    wall: float
    cpu: float
    memory: float = 0.0


def drawn(root: Path, count: int) -> list[Case]:
    """Draw services with edits, each at an older version."""
    folders = evolution.write_versions(root / "versions")
    history = History(write_repository(root / "repository", folders), folders)
    found = (case for case in cases.fleet(history, 2 * count) if case.version != case.newest)
    return list(itertools.islice(found, count))


def measured(command: Sequence[str], folder: Path, cache: Path) -> Cost:
    """Run a command in a folder; its memory is that of all its processes, shared pages twice."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    variables = {"SVCGEN_CACHE_DIR": str(cache), "COPIER_CACHE_DIR": str(cache)}
    with subprocess.Popen(
        command, cwd=folder, env=surroundings(**variables), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        most: list[float] = [0.0]
        watcher = threading.Thread(target=_watch, args=(running.pid, most))
        watcher.start()
        running.wait()
        watcher.join()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert running.returncode in {0, 3}, command
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, max(most))


def _watch(pid: int, most: list[float]) -> None:
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            family = [process, *process.children(recursive=True)]
            most.append(sum(map(_resident, family)) / 2**20)
            time.sleep(SAMPLED_SECONDS)
    except psutil.NoSuchProcess:
        return


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def by_svcgen(services: Sequence[Case], root: Path) -> Cost:
    """Update a workspace whose services have a repository each."""
    for case in services:
        engines.check_out(case, root / case.name)
    return measured(OURS, root, root.parent / "svcgen-cache")


def by_copier(services: Sequence[Case], root: Path) -> Cost:
    """Update the same services one after another."""
    costs = []
    for case in services:
        folder = engines.check_out(case, root / case.name)
        answers = [f"--data={name}={answer}" for name, answer in case.renamed.items()]
        costs.append(measured([*COPIER, *answers], folder, root.parent / "copier-cache"))
    return Cost(sum(cost.wall for cost in costs), sum(cost.cpu for cost in costs))


def in_one_repository(services: Sequence[Case], root: Path) -> Cost:
    """Update a workspace that is one repository."""
    for case in services:
        trees.write(root / case.name, case.mine)
    commit_all(root, "mine")
    return measured(OURS, root, root.parent / "svcgen-cache")


Update = Callable[[Sequence[Case], Path], Cost]


def fresh(update: Update, services: Sequence[Case], root: Path) -> Cost:
    """Update in a new folder, which is removed."""
    folder = root / "workspace"
    folder.mkdir()
    try:
        return update(services, folder)
    finally:
        shutil.rmtree(folder)


def compared(services: Sequence[Case], root: Path) -> Iterator[str]:
    """Yield the rows of the comparison; both take turns, so that a slow hour is one for both."""
    for size, rounds in SIZES.items():
        costs: dict[Update, list[Cost]] = {by_svcgen: [], by_copier: []}
        for _, (update, found) in itertools.product(range(rounds), costs.items()):
            found.append(fresh(update, services[:size], root))
        ours, copier = (
            [median(map(_of(what), found)) for what in _PARTS] for found in costs.values()
        )
        ratios = [theirs / mine for theirs, mine in zip(copier, ours, strict=True)]
        cells = [*copier, *ours, *ratios]
        yield f"| {size} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"


_PARTS = ("wall", "cpu")
_COLUMNS = ("services", "Copier s", "its CPU s", "svcgen s", "its CPU s", "ratio", "of CPU")


def _of(part: str) -> Callable[[Cost], float]:
    return lambda cost: float(getattr(cost, part))


def grown(services: Sequence[Case], root: Path) -> Iterator[str]:
    """Yield the rows of growth: what a service costs must not depend on how many there are."""
    for size in GROWTH:
        cost = fresh(in_one_repository, services[:size], root)
        each = cost.cpu / size * 1000
        yield f"| {size} | {cost.wall:.1f} | {cost.cpu:.1f} | {each:.0f} | {cost.memory:.0f} |"


def main() -> None:
    """Print both tables; aim: ten times as fast at 100 services, and linear to 500."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        services = drawn(root, max(GROWTH))
        fresh(by_svcgen, services[:1], root)  # fills the caches of both
        fresh(by_copier, services[:1], root)
        print(f"\nUpdates\n\n| {' | '.join(_COLUMNS)} |\n|" + " --- |" * len(_COLUMNS))
        for row in compared(services, root):
            print(row, flush=True)
        print("\nGrowth\n\n| services | s | CPU s | CPU ms a service | MiB |\n|" + " --- |" * 5)
        for row in grown(services, root):
            print(row, flush=True)


if __name__ == "__main__":
    main()
