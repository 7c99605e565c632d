"""A service on a fresh checkout, and what every stack's own targets are asked there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx

from svcgen.ports import free_port
from svcgen.render.render import render_service
from svcgen.service import url_variable
from svcgen.toolchains import surroundings

NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Checkout:
    """A service's folder, the environment of its targets, and the seconds that one may take."""

    folder: Path
    environment: Mapping[str, str]
    rendered: Mapping[Path, bytes]
    timeout: float | None = None

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["make", "-s", *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        running = self.start(*words, **variables)
        said, _ = running.communicate(timeout=self.timeout)
        return subprocess.CompletedProcess(words, running.returncode, said)

    def succeed(self, *words: str, **variables: str) -> str:
        done = self.make(*words, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def changed(self) -> list[Path]:
        """Name what is not any more as it was rendered."""
        return [path for path, text in self.rendered.items() if path.read_bytes() != text]


def check_out(
    root: Path,
    answers: Mapping[str, object],
    environment: Mapping[str, str],
    timeout: float | None = None,
) -> Checkout:
    """Make a service, whose callees do not answer."""
    calls = cast("list[str]", answers.get("calls", []))
    environment = {**{url_variable(name): NOBODY for name in calls}, **environment}
    folder = render_service(root / str(answers["name"]), answers)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return Checkout(folder, environment, files, timeout)


def environment_of(stack: str, **variables: str) -> dict[str, str]:
    """Return this process's environment with a stack's toolchain, and without make's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return {**surroundings(stack, kept), **variables}


def migrate_twice_at_once(made: Checkout, timeout: float) -> None:
    """Let two makes make the service ready: neither may break the other."""
    both = [made.start("migrate") for _ in range(2)]
    said = [one.communicate(timeout=timeout)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said


def assert_dev_starts_again(made: Checkout, source: Path, timeout: float) -> None:
    """Save a new version of the API while `make dev` runs, and see it answered."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    dev = subprocess.Popen(
        ["make", "-s", "dev"],
        cwd=made.folder,
        env={**made.environment, "PORT": str(port)},
        start_new_session=True,
    )
    try:
        until(lambda: version(url) == "1.0.0", timeout)
        source.write_text(source.read_text().replace("1.0.0", "2.0.0"))
        until(lambda: version(url) == "2.0.0", timeout)
    finally:
        os.killpg(dev.pid, signal.SIGKILL)
        dev.wait()
        source.write_bytes(made.rendered[source])


def assert_format_and_generate_make_it_as_it_was(
    made: Checkout, source: Path, generated: Iterable[Path], comment: str = "//"
) -> None:
    """Put a source out of shape and let what is generated be stale: both targets mend them."""
    for path in generated:
        path.write_bytes(made.rendered[path] + f"{comment} stale\n".encode())
    source.write_bytes(made.rendered[source] + b"\n\n\n")
    made.succeed("format")
    made.succeed("generate", DATABASE_URL="")
    assert made.changed() == []


def assert_lint_finds(made: Checkout, *faults: tuple[Path, str, str]) -> None:
    """Write one fault after another at the end of a file: lint fails, and says this about it."""
    for path, fault, said in faults:
        path.write_bytes(made.rendered.get(path, b"") + fault.encode())
        try:
            linted = made.make("lint")
            assert linted.returncode, fault
            assert said in linted.stdout
        finally:
            put_back(made, path)


def put_back(made: Checkout, path: Path) -> None:
    """Let a file be as it was rendered, or gone."""
    path.write_bytes(made.rendered[path]) if path in made.rendered else path.unlink()


def assert_generate_keeps_what_it_cannot_write(made: Checkout, source: Path) -> None:
    """Break the API and see `make generate` fail, with openapi.json as it was."""
    source.write_text("this is no program (")
    try:
        assert made.make("generate").returncode
    finally:
        source.write_bytes(made.rendered[source])
    assert made.changed() == []


def version(url: str) -> str:
    """Return the API's version; empty when nothing answers."""
    try:
        return str(httpx.get(f"{url}/openapi.json", timeout=2).json()["info"]["version"])
    except httpx.TransportError:
        return ""


def until(reached: Callable[[], bool], timeout: float) -> None:
    end = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.1)
