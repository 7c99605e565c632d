"""A service's image and its Compose file, used alone, as they are in its folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from svcgen.ports import free_port
from tests.support.checkout import until, version
from tests.support.images import Images, docker
from tests.support.repository import STACKS
from tests.support.services import PAIRS, copied, is_source

# Bytes over the base, at most; 75 MB of Java's are its AOT cache.
ADDED = {
    "python": 115_000_000,
    "go": 18_000_000,
    "typescript": 30_000_000,
    "java": 120_000_000,
}
# What a JVM notes while it runs: its order is never twice the same, and what it says is.
RECORDED = {"java": {"app/app.aot"}}
# A source without content lets BuildKit run each step again that reads sources, and Go compile the
# package again. Modules and what Maven downloads stay: go.sum and pom.xml say which they are.
ANOTHER = {"go": ("again.go", "package main\n"), "java": ("src/again", "")}
pytestmark = [pytest.mark.slow, pytest.mark.needs("docker")]


@dataclass(frozen=True)
class Built:
    """A service's folder, and its image."""

    stack: str
    folder: Path
    image: str


@pytest.fixture(params=STACKS)
def built(request: pytest.FixtureRequest, images: Images) -> Built:
    """Return the larger variant of each stack."""
    stack: str = request.param
    return Built(stack, images.folder(stack, "postgres"), images.of(stack, "postgres"))


def test_a_second_build_gives_the_same_files(built: Built, images: Images, tmp_path: Path) -> None:
    """Where compilers take minutes, only the service and its image are built again."""
    folder, options = built.folder, ["--no-cache"]
    if built.stack in ANOTHER:
        folder, options = copied(folder, tmp_path / folder.name), []
        path, text = ANOTHER[built.stack]
        (folder / path).write_text(text)
    again = images.build(folder, f"{built.stack}-again", *options)
    first, second = files(built.image), files(again)
    different = {path for path in {*first, *second} if first.get(path) != second.get(path)}
    assert different <= RECORDED.get(built.stack, set())


def files(image: str) -> dict[str, tuple[int, int, int, str]]:
    """Return mode, owner, group and digest of every path in an image."""
    container = docker("create", image)
    try:
        with tempfile.TemporaryFile() as archive:
            subprocess.run(["docker", "export", container], stdout=archive, check=True)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as members:
                return {one.name: described(members, one) for one in members}
    finally:
        docker("rm", container)


def described(members: tarfile.TarFile, one: tarfile.TarInfo) -> tuple[int, int, int, str]:
    content = members.extractfile(one) if one.isfile() else None
    digest = hashlib.sha256(content.read()).hexdigest() if content else one.linkname
    return one.mode, one.uid, one.gid, digest


def test_the_image_adds_little_to_its_base(built: Built) -> None:
    base = next(
        line.partition("=")[2]
        for line in (built.folder / "Dockerfile").read_text().splitlines()
        if line.startswith("ARG RUNTIME_IMAGE=")
    )
    sizes = [int(docker("inspect", "--format={{.Size}}", image)) for image in (built.image, base)]
    assert sizes[0] - sizes[1] < ADDED[built.stack]


@dataclass(frozen=True)
class Alone:
    """A service that Docker Compose runs by itself, from its own folder."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    def compose(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["docker", "compose", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def succeed(self, *words: str) -> None:
        running = self.compose(*words)
        said, _ = running.communicate()
        assert running.returncode == 0, said


@contextmanager
def alone(folder: Path, image: str) -> Iterator[Alone]:
    """Start a service whose image is built already; end it with its volumes."""
    project, registry = f"alone-{folder.parent.name}", "svcgen-test"
    version = f"{project}-{os.getpid()}"
    environment = {
        "COMPOSE_PROJECT_NAME": project,
        "DRAIN_SECONDS": "0",
        "PORT": str(free_port()),
        "REGISTRY": registry,
        "VERSION": version,
    }
    service = Alone(folder, {**os.environ, **environment})
    tag = f"{registry}/{folder.name}:{version}"
    docker("tag", image, tag)
    try:
        service.succeed("up", "--wait", "--no-build")
        yield service
    finally:
        service.succeed("down", "--volumes", "--timeout=5")
        docker("rmi", "--force", tag)


@pytest.mark.parametrize(("stack", "database"), PAIRS)
def test_alone_it_answers_and_watch_brings_in_what_was_saved(
    stack: str, database: str, images: Images, tmp_path: Path
) -> None:
    rendered = images.folder(stack, database)
    folder = copied(rendered, tmp_path / f"{stack}-{database}" / rendered.name)
    with alone(folder, images.of(stack, database)) as service:
        assert httpx.post(f"{service.url}/v1/{folder.name}", json={"name": "x"}).status_code == 201
        if database == "none":  # what is watched is the same, and building it takes long
            assert watched(folder) == watched(images.folder(stack, "postgres"))
            return
        watching = service.compose("watch", "--no-up")
        try:
            assert watching.stdout
            assert "enabled" in watching.stdout.readline()
            replace_version(folder)
            until(lambda: version(service.url) == "2.0.0", timeout=240)
        finally:
            watching.terminate()
            watching.communicate()


def watched(folder: Path) -> object:
    service = yaml.safe_load((folder / "compose.yaml").read_text())["services"][folder.name]
    return service["develop"]["watch"]


def replace_version(folder: Path) -> None:
    """Save a change of the API's version, wherever the stack has it, its locks and tests aside."""
    for path in folder.rglob("*"):
        if is_source(path.relative_to(folder)) or path.name == "openapi.json":
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("1.0.0", "2.0.0"), encoding="utf-8")
