"""`_svcgen` in a template's copier.yml: what svcgen is told of a template, and Copier ignores.

The keys are explained where svcgen's own template has them: copier.yml of this repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import asked, read_configuration
from svcgen.templates.versions import compare

KEY = "_svcgen"


@dataclass(frozen=True)
class AnswerChange:
    """What became of questions in one version, in the order in which it is replayed.

    `renamed` is old name: new name. `replaced` is question: {old answer: new answer}, by the new
    name. `added` is what services that exist already answer to a new question.
    """

    version: str
    renamed: Mapping[str, str]
    removed: tuple[str, ...]
    replaced: Mapping[str, Mapping[Any, Any]]
    added: Mapping[str, Any]


@dataclass(frozen=True)
class Declaration:
    """Manifests of dependencies with the locks made from them, and all changes of answers."""

    manifests: Mapping[str, tuple[str, ...]]
    answers: tuple[AnswerChange, ...]


class _FaultError(ValueError):
    """What is wrong with the declaration; the template is named where it is turned into words."""


def read_declaration(version: Version) -> Declaration:
    """Read and check what a template declares to svcgen; a template without it declares nothing.

    Raises SvcgenError, naming the template's copier.yml, for an unknown key, a version that is
    none or out of order, and a question that the template does not have at that point.
    """
    try:
        configuration = read_configuration(version.folder)
        declared = _declared(configuration.get(KEY))
        _check_order(declared.answers)
        _check_questions(declared.answers, set(asked(configuration)))
    except _FaultError as fault:
        raise SvcgenError(
            f"copier.yml of {version.source or version.folder} {version.name}: {fault}",
            "The template's authors can correct it: comments at `_svcgen` in svcgen's own "
            "copier.yml explain every key.",
        ) from fault
    return declared


def _declared(written: object) -> Declaration:
    keys = _keys(written, KEY, ("manifests", "answers"))
    manifests = _map(keys.get("manifests"), f"{KEY}.manifests")
    changes = keys.get("answers") or []
    if not isinstance(changes, list):
        raise _FaultError(f"`{KEY}.answers` must be a list.")
    return Declaration(
        {path: _names(locks, f"{KEY}.manifests.{path}") for path, locks in manifests.items()},
        tuple(_change(change, f"{KEY}.answers[{at}]") for at, change in enumerate(changes)),
    )


def _change(written: object, place: str) -> AnswerChange:
    keys = _keys(written, place, tuple(AnswerChange.__dataclass_fields__))
    renamed = _map(keys.get("renamed"), f"{place}.renamed")
    replaced = _map(keys.get("replaced"), f"{place}.replaced")
    return AnswerChange(
        version=str(keys.get("version", "")),
        renamed=dict(zip(renamed, _names([*renamed.values()], f"{place}.renamed"), strict=True)),
        removed=_names(keys.get("removed"), f"{place}.removed"),
        replaced={
            question: _answers(answers, f"{place}.replaced.{question}")
            for question, answers in replaced.items()
        },
        added=_map(keys.get("added"), f"{place}.added"),
    )


def _keys(written: object, place: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    keys = _map(written, place)
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known, f"Known keys: {', '.join(known)}.")
            raise _FaultError(f"`{place}.{key}` is not a known key. {hint}")
    return keys


def _map(written: object, place: str) -> dict[str, Any]:
    if written is None:
        return {}
    if not isinstance(written, dict) or not all(isinstance(key, str) for key in written):
        raise _FaultError(f"`{place}` must be a map with names as keys.")
    return written


def _answers(written: object, place: str) -> dict[Any, Any]:
    if not isinstance(written, dict):
        raise _FaultError(f"`{place}` must be a map of old answers to new ones.")
    return written


def _names(written: object, place: str) -> tuple[str, ...]:
    names = [] if written is None else written
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _FaultError(f"`{place}` must be a list of names.")
    return tuple(names)


def _check_order(changes: Iterable[AnswerChange]) -> None:
    versions = [change.version for change in changes]
    for version in versions:
        try:
            compare(version, "v0")
        except SvcgenError as error:
            raise _FaultError(
                f"`{KEY}.answers` has the version {version!r}, which is none. "
                "Write it as its tag, for example v1.2.0."
            ) from error
    for earlier, later in pairwise(versions):
        if compare(earlier, later) > 0:
            raise _FaultError(
                f"`{KEY}.answers` has {later} after {earlier}: the oldest comes first."
            )


def _check_questions(changes: tuple[AnswerChange, ...], known: set[str]) -> None:
    """Walk back from the questions there are now to those that each change found."""
    for change in reversed(changes):
        made = {*change.renamed.values(), *change.added}
        gone = {*change.renamed, *change.removed}
        for question in (*change.renamed.values(), *change.replaced, *change.added):
            _refuse_unknown(question, change, known)
        for question in sorted(gone & known - made):
            raise _FaultError(f"{change.version} takes `{question}` away, which the template asks.")
        known = known - made | gone


def _refuse_unknown(question: str, change: AnswerChange, known: set[str]) -> None:
    if question not in known:
        problem = f"{change.version} names `{question}`, which is no question then."
        raise _FaultError(f"{problem} {did_you_mean(question, known)}".strip())
