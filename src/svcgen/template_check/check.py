"""All rules for one template, with all answers: what `svcgen template check` and our tests run."""

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
from svcgen.template_check.cases import HOSTILE, combinations, free_texts, possible, sample
from svcgen.template_check.fault import TemplateFault, merged
from svcgen.template_check.ownership import write_probe
from svcgen.template_check.source_rules import (
    declared_fits,
    layers_used,
    patterns_match,
    standing_faults,
)
from svcgen.template_check.source_tree import SourceTree, below, read_template
from svcgen.template_check.trial import Attempt, Trial, attempt, written_paths
from svcgen.templates.base import Version
from svcgen.templates.cache import has_template

Progress = Callable[[int, int], None]  # answers tried, and how many there are
_FEW = 4  # so many are tried before more processes are worth their start


@dataclass(frozen=True)
class CheckResult:
    """What a template was tried with, and every fault.

    `possible` counts all combinations of choices; `refused` those tried that its validators forbid.
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
    """Render every combination of a checkout's template and hold each to all rules.

    `given` answers questions that have neither choices nor a default. Files that git ignores are
    no part of the template. Raises SvcgenError when there is no template, when it wants to be
    trusted and is not, or when its validators take no answers at all.
    """
    read_template(checkout)
    trusted = may_run(Version(str(checkout), "", checkout), allows)
    with _exported(checkout) as template, TemporaryDirectory(prefix="svcgen-") as aside:
        trial = _prepared(template, Path(aside), trusted=trusted)
        every = combinations(template, given or {})
        trial = replace(trial, texts=_texts(trial, every[0], given or {}))
        attempts = list(_tried(trial, every, progress))
        faults = merged(_faults(template, attempts))
        refused = sum(bool(one.refused) for one in attempts)
        return CheckResult(len(every), possible(template, given or {}), refused, faults)


def _faults(template: SourceTree, attempts: list[Attempt]) -> Iterator[TemplateFault]:
    taken = [one for one in attempts if not one.refused]
    if not taken:
        raise SvcgenError(
            f"The template takes none of the answers that there are to try: {attempts[0].refused}",
            "Answer that question here: -d QUESTION=ANSWER",
        )
    yield from (fault for one in taken for fault in one.faults)
    yield from standing_faults(template)
    yield from _over_all(template, taken)


def _over_all(template: SourceTree, attempts: list[Attempt]) -> Iterator[TemplateFault]:
    """Apply the rules that need to know what all answers together write."""
    paths, sources, patterns = (
        set().union(*(getattr(one, name) for one in attempts))
        for name in ("paths", "sources", "patterns")
    )
    if all(one.sources for one in attempts):
        yield from layers_used(template, sources)
    if all(one.paths for one in attempts):
        yield from patterns_match(sorted(patterns), paths)
        yield from declared_fits(Version(str(template.folder), "", template.folder), paths)


def _tried(trial: Trial, every: list[dict[str, Any]], progress: Progress) -> Iterator[Attempt]:
    workers = min(os.cpu_count() or 1, len(every) // _FEW)
    if workers <= 1:
        for done, answers in enumerate(every, start=1):
            yield attempt(trial, answers)
            progress(done, len(every))
        return
    with ProcessPoolExecutor(workers) as pool:
        for done, one in enumerate(pool.map(partial(attempt, trial), every), start=1):
            yield one
            progress(done, len(every))


def _prepared(template: SourceTree, aside: Path, *, trusted: bool) -> Trial:
    source = str(template.folder)
    write_probe(template, aside)
    whole = Version(source, "", template.folder)
    return Trial(template, whole, Version(source, "", aside), trusted, {})


def _texts(
    trial: Trial, answers: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Find out which questions take a hostile text, and the longest that each one takes.

    One whose text is part of a path is none of them: what a path can be is its validator's matter.
    """
    found: dict[str, tuple[str, str]] = {}
    for number, name in enumerate(free_texts(trial.template, given)):
        plain = {**answers, name: sample(number)}
        if _paths(trial, plain) != _paths(trial, answers):
            continue
        taken = (text for text in HOSTILE if _paths(trial, {**answers, name: text}))
        if hostile := next(taken, ""):
            found[name] = (plain[name], hostile)
    return found


def _paths(trial: Trial, answers: Mapping[str, Any]) -> frozenset[str]:
    """Name the paths that these answers write; none when they are refused."""
    try:
        return written_paths(trial, answers)
    except SvcgenError:
        return frozenset()


@contextmanager
def _exported(checkout: Path) -> Iterator[SourceTree]:
    """Copy what git would give to others, so that edits meanwhile and junk do not count."""
    with TemporaryDirectory(prefix="svcgen-") as aside:
        folder = Path(aside, "template")
        for name in _names(checkout):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, folder / name, follow_symlinks=False)
        if not has_template(folder):
            raise SvcgenError(f"git ignores copier.yml in {checkout}.", "Correct .gitignore.")
        yield read_template(folder)


def _names(checkout: Path) -> list[str]:
    if not (checkout / ".git").exists():
        return list(below(checkout))
    listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = git(*listing, within=checkout).split("\0")
    return [name for name in names if (checkout / name).is_file() or (checkout / name).is_symlink()]
