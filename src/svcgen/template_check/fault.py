"""What a rule finds, and what it checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.template_check.source_tree import SourceTree, below


@dataclass(frozen=True, order=True)
class TemplateFault:
    """A file that breaks a rule.

    `path` is the template's where it is known, else the service's; `answers` are those that show
    the fault, empty when it does not depend on answers.
    """

    path: str
    rule: str
    problem: str
    answers: str = ""


@dataclass(frozen=True)
class RenderedService:
    """A rendered service, and which path of the template wrote which of its paths."""

    folder: Path
    template: SourceTree
    sources: Mapping[str, str]

    @property
    def files(self) -> dict[str, Path]:
        """All files and links by their path in the service, in order."""
        return below(self.folder)

    def source(self, path: str) -> str:
        """Return the template path that wrote a path; without one, the path itself."""
        return self.sources.get(path, path)


def spelled(answers: Mapping[str, Any]) -> str:
    """Return answers as one would type them: `stack=go database=none calls=[]`."""
    return " ".join(f"{name}={_plain(answer)}" for name, answer in answers.items())


def _plain(answer: Any) -> str:
    if isinstance(answer, bool):
        return str(answer).lower()
    if isinstance(answer, (list, tuple)):
        return f"[{','.join(map(_plain, answer))}]"
    return str(answer)


def merged(faults: Iterable[TemplateFault]) -> tuple[TemplateFault, ...]:
    """Return each fault once, with the first answers that show it, sorted by path."""
    first: dict[tuple[str, str, str], TemplateFault] = {}
    for fault in faults:
        first.setdefault((fault.path, fault.rule, fault.problem), fault)
    return tuple(sorted(first.values()))
