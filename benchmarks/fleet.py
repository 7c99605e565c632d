"""Four services in four languages: from nothing to all healthy in Docker, cold and warm.

Needs Docker and the stacks' base images. Cold is without any build cache: `--cold` throws away all
that the engine has. Warm is the same again in another folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import timing

SERVICES = (
    ("billing", "--stack", "java", "--database", "postgres"),
    ("stock", "--stack", "typescript", "--database", "postgres", "--calls", "billing"),
    ("pricing", "--stack", "go", "--calls", "stock"),
    ("storefront", "--stack", "python", "--calls", "pricing"),
)
WRITTEN_BY_JHIPSTER = (26, 39)  # seconds for a gateway and two services, written and not built


def svcgen(*words: str, cwd: Path) -> None:
    """Run svcgen as a user does."""
    subprocess.run([timing.BIN / "svcgen", *words], cwd=cwd, check=True, capture_output=True)


def seconds(commands: Sequence[Sequence[str]], cwd: Path) -> float:
    """Run commands one after another and return their seconds in all."""
    began = time.perf_counter()
    for words in commands:
        svcgen(*words, cwd=cwd)
    return time.perf_counter() - began


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder; in the end, end what runs in it and remove its images."""
    with tempfile.TemporaryDirectory(prefix="svcgen-fleet-") as folder:
        try:
            yield Path(folder)
        finally:
            remove = ["docker", "compose", "down", "--volumes", "--rmi=local", "--timeout=0"]
            subprocess.run(remove, cwd=folder, check=False, capture_output=True)


def measure() -> tuple[float, float]:
    """Return the seconds to write four services, and to have them all healthy."""
    with workspace() as root:
        written = seconds([("new", *words) for words in SERVICES], root)
        port = str(20_000 + os.getpid() % 10_000)
        healthy = seconds([("up", "--engine", "docker", "--port", port)], root)
        svcgen("down", "--volumes", cwd=root)
    return written, healthy


def gateway_and_two() -> float:
    """Return the seconds to write a gateway and two services."""
    with workspace() as root:
        words = [("new", *SERVICES[0]), ("new", *SERVICES[2][:3]), ("compose",)]
        return seconds(words, root)


def main() -> None:
    """Print the table; aim: a twentieth of JHipster's time to write."""
    if "--cold" in sys.argv:
        subprocess.run(["docker", "builder", "prune", "--all", "--force"], check=True)
    print("| | written s | healthy s |\n| --- | --- | --- |")
    for name in ("first" if "--cold" not in sys.argv else "cold", "warm"):
        written, healthy = measure()
        print(f"| {name} | {written:.1f} | {healthy:.1f} |", flush=True)
    small = min(gateway_and_two() for _ in range(3))
    ratios = " to ".join(f"{small / theirs:.3f}" for theirs in reversed(WRITTEN_BY_JHIPSTER))
    print(
        f"\nA gateway and two services are written in {small:.2f} s: {ratios} of JHipster's time."
    )


if __name__ == "__main__":
    main()
