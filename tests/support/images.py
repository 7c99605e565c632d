"""Images of this template's services: each stack with and without a database, built once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.services import Rendered

# A service of the same answers has the same layers in BuildKit's cache, whatever builds it.
NAME = "things"
CALLS = ["order-items"]
VERSION, REVISION = "7.8.9", "abc"


@dataclass(eq=False)
class Images:
    """Builds images in this process of pytest; two processes share BuildKit's cache."""

    rendered: Rendered
    tags: list[str]

    def folder(self, stack: str, database: str) -> Path:
        """Return the service that `of` builds; it is read only."""
        return self.rendered(name=NAME, stack=stack, database=database, calls=CALLS)

    @cache  # noqa: B019 (as long as the session)
    def of(self, stack: str, database: str) -> str:
        """Return the tag of a generated service's image."""
        return self.build(self.folder(stack, database), f"{stack}-{database}")

    def build(self, folder: Path, name: str, *options: str) -> str:
        """Build a folder's image and return its tag; it is removed at the end."""
        tag = f"svcgen-test-{name}:{os.getpid()}"
        arguments = (f"--build-arg=VERSION={VERSION}", f"--build-arg=REVISION={REVISION}")
        docker("build", "--quiet", f"--tag={tag}", *arguments, *options, str(folder))
        self.tags.append(tag)
        return tag


@pytest.fixture(scope="session")
def images(rendered: Rendered) -> Iterator[Images]:
    """Return what builds images; all are removed at the end."""
    built = Images(rendered, [])
    yield built
    if built.tags:
        subprocess.run(["docker", "rmi", "--force", *built.tags], capture_output=True, check=False)


def docker(*words: str) -> str:
    """Return what Docker prints; an AssertionError holds its message when it fails."""
    done = subprocess.run(["docker", *words], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
