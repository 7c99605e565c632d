"""What each stack costs: image, start, memory, and its speed beside a bare server of its framework.

Needs Docker, the stacks' base images, Go, a JDK, and `wrk` (a Debian package). Nothing else may run
meanwhile. Server and load have one core each.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

from svcgen.render.render import render_service
from svcgen.toolchains import surroundings

REPOSITORY = Path(__file__).parents[1]
HELLO = REPOSITORY / "benchmarks/hello"
STACKS = tuple(yaml.safe_load((REPOSITORY / "copier.yml").read_text())["stack"]["choices"].values())
SECONDS = 5  # of load, after as many to warm up
ROUNDS = 5  # of the service and the bare server in turn: what else the machine does, hits both
CONNECTIONS = 16
TIMEOUT = 60  # seconds until a container answers


@dataclass(frozen=True)
class Load:
    """Requests a second, and how long the slowest in a hundred took, in milliseconds."""

    rate: float
    p99: float


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def container(
    image: str, *options: str, arguments: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Run an image on the first core; yield the container and its URL.

    The URL is the container's own: a published port has a proxy, which takes more of both cores for
    a request than a server in Go does.
    """
    name = run("docker", "run", "--detach", "--cpuset-cpus=0", *options, image, *arguments)
    try:
        network = json.loads(run("docker", "inspect", name))[0]["NetworkSettings"]["Networks"]
        yield name, f"http://{network['bridge']['IPAddress']}:8080"
    finally:
        run("docker", "rm", "--force", name)


def until_answered(url: str) -> float:
    """Wait until a URL answers 200; return the seconds it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < TIMEOUT:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.005)
    raise TimeoutError(url)


def load(url: str) -> Load:
    """Ask a URL from the second core as often as it answers."""
    command = ("taskset", "--cpu-list", "1", "wrk", "--latency", "-t1", f"-c{CONNECTIONS}")
    run(*command, f"-d{SECONDS}s", url)
    said = run(*command, f"-d{SECONDS}s", url)
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate
    assert slow
    return Load(float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slow[2]])


def compare(ours: str, theirs: str) -> tuple[Load, Load]:
    """Load two URLs in turn; return the medians of both."""
    rounds = [(load(ours), load(theirs)) for _ in range(ROUNDS)]
    one, other = (
        Load(median(each.rate for each in loads), median(each.p99 for each in loads))
        for loads in zip(*rounds, strict=True)
    )
    return one, other


def memory(name: str) -> float:
    """Return the memory of a container in MiB, as its limit counts it."""
    used = run("docker", "stats", "--no-stream", "--format={{.MemUsage}}", name)
    amount = re.match(r"([\d.]+)(KiB|MiB|GiB)", used)
    assert amount
    return float(amount[1]) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[amount[2]]


def build(folder: Path, stack: str, database: str) -> tuple[Path, str]:
    """Write a service and build its image."""
    name = f"bench-{stack}-{database}"
    service = render_service(folder / name, {"name": name, "stack": stack, "database": database})
    run("docker", "build", "--quiet", "--tag", f"svcgen-{name}", service)
    return service, f"svcgen-{name}"


def bare(stack: str, image: str, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what `docker run` needs for the stack's bare server, in the image of its service."""
    mount = f"--volume={HELLO}:/hello:ro"
    if stack == "python":
        server = ("-m", "uvicorn", "--app-dir=/hello", "--host=0.0.0.0", "--port=8080")
        return (mount, "--entrypoint=python"), (*server, "--no-access-log", "hello:app")
    if stack == "typescript":
        mount = f"--volume={HELLO}/hello.ts:/app/src/hello.ts:ro"
        return (mount, "--entrypoint=/nodejs/bin/node"), ("/app/src/hello.ts",)
    if stack == "go":
        compile_go = ("go", "build", "-o", str(folder / "hello"), str(HELLO / "hello.go"))
        subprocess.run(compile_go, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        return (f"--volume={folder}/hello:/hello:ro", "--entrypoint=/hello"), ()
    libraries = _libraries(image, folder)
    compile_java = ("javac", "-cp", f"{libraries}/*", "-d", str(folder), str(HELLO / "Hello.java"))
    subprocess.run(compile_java, check=True, env=surroundings("java", os.environ))
    path = ("-XX:+UseSerialGC", "-cp", "/hello:/app/lib/*", "hello.Hello")
    return (f"--volume={folder}:/hello:ro", "--entrypoint=java"), path


def _libraries(image: str, folder: Path) -> Path:
    made = run("docker", "create", image)
    run("docker", "cp", f"{made}:/app/lib", folder / "lib")
    run("docker", "rm", made)
    return folder / "lib"


def limit_of(service: Path) -> str:
    """Return the memory that the service's chart allows it, as Docker spells it."""
    values = yaml.safe_load((service / "chart/values.yaml").read_text())
    return str(values["resources"]["limits"]["memory"]).replace("Mi", "m")


def size(image: str) -> float:
    """Return the size of an image in MB, as `docker images` counts it."""
    return int(run("docker", "inspect", "--format={{.Size}}", image)) / 1e6


def base_of(service: Path) -> str:
    """Return the image that a service's image stands on."""
    text = (service / "Dockerfile").read_text()
    found = re.search(r"^ARG RUNTIME_IMAGE=(.*)$", text, re.MULTILINE)
    assert found
    return found[1]


def measure(stack: str, folder: Path) -> dict[str, str]:
    """Return one row of the table."""
    with_database, larger = build(folder, stack, "postgres")
    service, image = build(folder, stack, "none")
    added = size(larger) - size(base_of(with_database))
    with container(image, f"--memory={limit_of(service)}") as (name, url):
        ready = until_answered(f"{url}/readyz")
        time.sleep(2)
        idle = memory(name)
        resource = f"{url}/v1/{service.name}"
        body = json.dumps({"name": "apples"}).encode()
        head = {"content-type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(resource, body, head)).close()
        options, arguments = bare(stack, image, folder)
        with container(image, *options, arguments=arguments) as (_, other):
            until_answered(f"{other}/hello")
            ours, theirs = compare(f"{resource}?limit=1", f"{other}/hello")
        busy = memory(name)
    return {
        "stack": stack,
        "image MB": f"{size(larger):.0f}",
        "added MB": f"{added:.0f}",
        "ready s": f"{ready:.2f}",
        "idle MiB": f"{idle:.0f}",
        "loaded MiB": f"{busy:.0f}",
        "requests/s": f"{ours.rate:.0f}",
        "of bare": f"{ours.rate / theirs.rate:.2f}",
        "p99 ms": f"{ours.p99:.1f}",
        "bare p99 ms": f"{theirs.p99:.1f}",
        **shape(service),
    }


def shape(service: Path) -> dict[str, str]:
    """Count a service's files, and the lines of its sources without tests."""
    files = [path.relative_to(service) for path in service.rglob("*") if path.is_file()]
    sources = [
        path
        for path in files
        if path.suffix in {".py", ".go", ".ts", ".java", ".sql"}
        and not {"test", "tests"} & set(path.parts)
        and not path.stem.endswith("_test")
    ]
    lines = sum(len((service / path).read_text().splitlines()) for path in sources)
    return {"files": str(len(files)), "lines": str(lines)}


def main() -> None:
    """Print the table, row by row; arguments choose stacks."""
    for number, stack in enumerate(sys.argv[1:] or STACKS):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the server is another user
            row = measure(stack, Path(folder))
        if not number:
            print("| " + " | ".join(row) + " |\n|" + " --- |" * len(row))
        print("| " + " | ".join(row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
