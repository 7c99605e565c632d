"""The rules for what copier.yml declares of paths and answers: it names things that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from svcgen.errors import SvcgenError
from svcgen.render.declaration import read_declaration
from svcgen.render.patterns import matcher
from svcgen.render.rules.fault import Fault
from svcgen.render.rules.template import QUESTIONS
from svcgen.render.source.sources import Version


def patterns_match(patterns: Iterable[str], paths: Iterable[str]) -> Iterator[Fault]:
    """Find seeded patterns that name no path which some answers write: a typo protects nothing."""
    names = sorted(set(paths))
    for pattern in dict.fromkeys(patterns):
        if not any(map(matcher([pattern.removeprefix("!")]), names)):
            yield Fault(QUESTIONS, "seeded", f"{pattern} matches no path of any service")


def declared_fits(version: Version, paths: Iterable[str]) -> Iterator[Fault]:
    """Want what a template declares to svcgen to name questions and paths that are there."""
    try:
        declared = read_declaration(version)
    except SvcgenError as error:
        yield Fault(QUESTIONS, "declared", error.problem.partition(": ")[2])
        return
    manifests = declared.manifests.items()
    yield from patterns_match((path for name, locks in manifests for path in (name, *locks)), paths)
