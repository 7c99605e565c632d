"""One set of answers: rendered several times, and checked against the rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import extract_tb
from typing import Any

from svcgen.errors import AnswerError, SvcgenError
from svcgen.render.render import render_version, seeded_patterns
from svcgen.template_check import output_rules as rules
from svcgen.template_check.cases import calls_nobody, varied
from svcgen.template_check.fault import RenderedService, TemplateFault, spelled
from svcgen.template_check.free_text import text_stays
from svcgen.template_check.ownership import one_owner, read_probe
from svcgen.template_check.source_tree import QUESTIONS, SourceTree, below
from svcgen.templates.base import Version

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """A template to try: itself (`whole`), and its paths with empty files (`names`).

    `texts` are the questions that accept any text, each with a sample and a hostile answer.
    """

    template: SourceTree
    whole: Version
    names: Version
    trusted: bool
    texts: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Attempt:
    """The outcome of one set of answers; `refused` is why the template's validators refuse it.

    `paths` are those of the service, `sources` the template paths that wrote one, `patterns` the
    seeded ones.
    """

    faults: tuple[TemplateFault, ...] = ()
    paths: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    refused: str = ""


def attempt(trial: Trial, answers: Answers) -> Attempt:
    """Render a template with these answers and check the service against every rule."""
    try:
        patterns = seeded_patterns(trial.whole, answers, trusted=trial.trusted)
    except SvcgenError as error:
        if isinstance(error, AnswerError):  # from a validator: not a fault
            return Attempt(refused=str(error))
        return Attempt((_unrendered(error, trial, answers),))
    with TemporaryDirectory(prefix="svcgen-") as folder:
        return replace(_attempt(trial, answers, Path(folder)), patterns=frozenset(patterns))


def written_paths(trial: Trial, answers: Answers) -> frozenset[str]:
    """Return the paths of a service with these answers, excluded ones included."""
    with TemporaryDirectory(prefix="svcgen-") as folder:
        return frozenset(
            read_probe(trial.template, _render(trial, trial.names, Path(folder), answers))
        )


def _unrendered(error: SvcgenError, trial: Trial, answers: Answers) -> TemplateFault:
    problem = " ".join(error.problem.replace(f"{trial.whole.source} ", "").split())
    path, line = _place(error.__cause__, trial.template)
    problem = f"line {line} {problem}" if line else problem
    return TemplateFault(path, "renders", problem, spelled(varied(trial.template, answers)))


def _place(error: BaseException | None, template: SourceTree) -> tuple[str, int]:
    """Return the file and line at which Jinja failed; without one, copier.yml and 0."""
    frames = extract_tb(error.__traceback__ if error else None)
    places = [(frame.filename, frame.lineno or 0) for frame in frames]
    places.append((str(getattr(error, "filename", "")), getattr(error, "lineno", None) or 0))
    start = f"{template.folder}{os.sep}"
    found = [(name.removeprefix(start), line) for name, line in places if name.startswith(start)]
    return found[-1] if found else (QUESTIONS, 0)


def _attempt(trial: Trial, answers: Answers, folder: Path) -> Attempt:
    shown_with = spelled(varied(trial.template, answers))
    names = _render(trial, trial.names, folder / "names", answers)
    writers = read_probe(trial.template, names)
    sources = frozenset(path for paths in writers.values() for path in paths)
    faults = list(one_owner(writers))
    service = Path()
    if not faults:
        first = {name: paths[0] for name, paths in writers.items()}
        try:
            service = _render(trial, trial.whole, folder / "once", answers)
            faults += _found(
                trial, answers, RenderedService(service, trial.template, first), folder
            )
        except SvcgenError as error:
            faults.append(_unrendered(error, trial, answers))
    return Attempt(
        faults=tuple(replace(fault, answers=shown_with) for fault in faults),
        paths=frozenset(below(service)) if service.name else frozenset(),
        sources=sources,
    )


def _found(
    trial: Trial, answers: Answers, once: RenderedService, folder: Path
) -> Iterator[TemplateFault]:
    for rule in rules.SERVICE_RULES:
        yield from rule(once)
    yield from rules.same_bytes(once, _render_service(trial, folder / "again", answers, once))
    if trial.texts and calls_nobody(answers):
        texts = [{name: pair[at] for name, pair in trial.texts.items()} for at in (0, 1)]
        sampled = _render_service(trial, folder / "sampled", {**answers, **texts[0]}, once)
        if sampled.files.keys() != once.files.keys():
            return  # a text is part of a path: the validator restricts it
        hostile = _render_service(trial, folder / "hostile", {**answers, **texts[1]}, once)
        yield from text_stays(sampled, hostile, dict(trial.texts.values()))


def _render_service(
    trial: Trial, folder: Path, answers: Answers, like: RenderedService
) -> RenderedService:
    return RenderedService(
        _render(trial, trial.whole, folder, answers), trial.template, like.sources
    )


def _render(trial: Trial, version: Version, folder: Path, answers: Answers) -> Path:
    service = folder / str(answers.get("name", "service"))
    return render_version(version, service, answers, trusted=trial.trusted)
