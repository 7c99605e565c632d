"""`svcgen template check`: one template with all answers, against all rules."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.render.trust import Allows, may_run
from svcgen.template_check.cases import HOSTILE, combinations, free_texts, possible
from svcgen.template_check.fault import TemplateFault, merged
from svcgen.template_check.ownership import write_probe
from svcgen.template_check.source_rules import (
    declared_fits,
    layers_used,
    patterns_match,
    source_faults,
)
from svcgen.template_check.source_tree import SourceTree, below, read_template
from svcgen.template_check.trial import Attempt, Trial, attempt, written_paths
from svcgen.templates.base import Version
from svcgen.templates.cache import has_template

Progress = Callable[[int, int], None]  # sets of answers tried, and all of them
_PER_WORKER = 4  # sets of answers that make up for the start of a process


@dataclass(frozen=True)
class CheckResult:
    """How many sets of answers were tried, and every fault.

    `possible` counts all combinations of choices; `refused` those tried that its validators refuse.
    """

    tried: int
    possible: int
    refused: int
    faults: tuple[TemplateFault, ...]


def check_template(
    checkout: Path,
    given: Mapping[str, Any] | None = None,
    *,
    allows: Allows = lambda _wish: False,
    progress: Progress = lambda _done, _all: None,
) -> CheckResult:
    """Render every combination of a checkout's template and check it against all rules.

    `given` answers questions that have neither choices nor a default. Files that git ignores are
    not part of the template. Raises SvcgenError without a template, for one that needs trust and
    has none, and when its validators refuse all answers.
    """
    read_template(checkout)
    trusted = may_run(Version(str(checkout), "", checkout), allows)
    with _exported(checkout) as template, TemporaryDirectory(prefix="svcgen-") as folder:
        source, probe = str(template.folder), Path(folder)
        write_probe(template, probe)
        whole, names = Version(source, "", template.folder), Version(source, "", probe)
        trial = Trial(template, whole, names, trusted, {})
        every = combinations(template, given or {})
        trial = replace(trial, texts=_texts(trial, every[0], given or {}))
        attempts = list(_tried(trial, every, progress))
        faults = merged(_faults(template, attempts))
        refused = sum(bool(each.refused) for each in attempts)
        return CheckResult(len(every), possible(template, given or {}), refused, faults)


def _faults(template: SourceTree, attempts: list[Attempt]) -> Iterator[TemplateFault]:
    accepted = [each for each in attempts if not each.refused]
    if not accepted:
        raise SvcgenError(
            f"The template refuses all answers that the check tries: {attempts[0].refused}",
            "Answer that question: -d QUESTION=ANSWER",
        )
    yield from (fault for each in accepted for fault in each.faults)
    yield from source_faults(template)
    yield from _over_all(template, accepted)


def _over_all(template: SourceTree, attempts: list[Attempt]) -> Iterator[TemplateFault]:
    """Apply the rules for the paths that all answers together write."""
    paths, sources, patterns = (
        set().union(*(getattr(each, name) for each in attempts))
        for name in ("paths", "sources", "patterns")
    )
    if all(each.sources for each in attempts):
        yield from layers_used(template, sources)
    if all(each.paths for each in attempts):
        yield from patterns_match(sorted(patterns), paths)
        yield from declared_fits(Version(str(template.folder), "", template.folder), paths)


def _tried(trial: Trial, every: list[dict[str, Any]], progress: Progress) -> Iterator[Attempt]:
    workers = min(os.cpu_count() or 1, len(every) // _PER_WORKER)
    if workers <= 1:
        for done, answers in enumerate(every, start=1):
            yield attempt(trial, answers)
            progress(done, len(every))
        return
    with ProcessPoolExecutor(workers) as pool:
        for done, outcome in enumerate(pool.map(partial(attempt, trial), every), start=1):
            yield outcome
            progress(done, len(every))


def _texts(
    trial: Trial, answers: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Return the questions that accept a hostile text, each with the longest that it accepts.

    A question whose text is part of a path is left out: its validator restricts it.
    """
    found: dict[str, tuple[str, str]] = {}
    for number, name in enumerate(free_texts(trial.template, given)):
        plain = {**answers, name: f"Sample Text{number}"}  # easy to find in the rendered files
        if _paths(trial, plain) != _paths(trial, answers):
            continue
        accepted = (text for text in HOSTILE if _paths(trial, {**answers, name: text}))
        if hostile := next(accepted, ""):
            found[name] = (plain[name], hostile)
    return found


def _paths(trial: Trial, answers: Mapping[str, Any]) -> frozenset[str]:
    """Return the paths that these answers write; none when the template refuses them."""
    try:
        return written_paths(trial, answers)
    except SvcgenError:
        return frozenset()


@contextmanager
def _exported(checkout: Path) -> Iterator[SourceTree]:
    """Copy the files that git has or would add, so that concurrent edits do not matter."""
    with TemporaryDirectory(prefix="svcgen-") as temporary:
        folder = Path(temporary, "template")
        names = list(below(checkout))
        if (checkout / ".git").exists():
            listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
            listed = git(*listing, within=checkout).split("\0")
            paths = {name: checkout / name for name in listed}
            names = [name for name, path in paths.items() if path.is_file() or path.is_symlink()]
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, folder / name, follow_symlinks=False)
        if not has_template(folder):
            raise SvcgenError(f"git ignores copier.yml in {checkout}.", "Correct .gitignore.")
        yield read_template(folder)
