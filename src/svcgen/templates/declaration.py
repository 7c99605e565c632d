"""`_svcgen` in a template's copier.yml: declarations for svcgen, which Copier ignores.

copier.yml of this repository, which has these keys too, explains them.
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
    """How one version changed the questions, in the order in which svcgen replays it.

    `renamed` is old name: new name. `replaced` is question: {old answer: new answer}, by the new
    name. `added` has the answers of existing services to new questions.
    """

    version: str
    renamed: Mapping[str, str]
    removed: tuple[str, ...]
    replaced: Mapping[str, Mapping[Any, Any]]
    added: Mapping[str, Any]


@dataclass(frozen=True)
class Declaration:
    """Dependency manifests with their lock files, and all changes of answers."""

    manifests: Mapping[str, tuple[str, ...]]
    answers: tuple[AnswerChange, ...]


class _FaultError(ValueError):
    """A problem of the declaration, without the template's name."""


def read_declaration(version: Version) -> Declaration:
    """Read and check what a template declares to svcgen; without `_svcgen` it declares nothing.

    Raises SvcgenError, with the template's copier.yml, for an unknown key, an invalid version or
    one out of order, and a question that the template does not have in that version.
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


def _declared(content: object) -> Declaration:
    keys = _keys(content, KEY, ("manifests", "answers"))
    manifests = _map(keys.get("manifests"), f"{KEY}.manifests")
    changes = keys.get("answers") or []
    if not isinstance(changes, list):
        raise _FaultError(f"`{KEY}.answers` must be a list.")
    return Declaration(
        {path: _names(locks, f"{KEY}.manifests.{path}") for path, locks in manifests.items()},
        tuple(_change(change, f"{KEY}.answers[{at}]") for at, change in enumerate(changes)),
    )


def _change(content: object, place: str) -> AnswerChange:
    keys = _keys(content, place, tuple(AnswerChange.__dataclass_fields__))
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


def _keys(content: object, place: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    keys = _map(content, place)
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known, f"Known keys: {', '.join(known)}.")
            raise _FaultError(f"`{place}.{key}` is not a known key. {hint}")
    return keys


def _map(content: object, place: str) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise _FaultError(f"`{place}` must be a map with names as keys.")
    return content


def _answers(content: object, place: str) -> dict[Any, Any]:
    if not isinstance(content, dict):
        raise _FaultError(f"`{place}` must be a map of old answers to new ones.")
    return content


def _names(content: object, place: str) -> tuple[str, ...]:
    names = [] if content is None else content
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
                f"`{KEY}.answers` has {version!r}, which is not a version. "
                "Write it as its tag, for example v1.2.0."
            ) from error
    for earlier, later in pairwise(versions):
        if compare(earlier, later) > 0:
            raise _FaultError(
                f"`{KEY}.answers` has {later} after {earlier}: the oldest comes first."
            )


def _check_questions(changes: tuple[AnswerChange, ...], known: set[str]) -> None:
    """Walk back from the current questions to those before each change."""
    for change in reversed(changes):
        made = {*change.renamed.values(), *change.added}
        gone = {*change.renamed, *change.removed}
        for question in (*change.renamed.values(), *change.replaced, *change.added):
            if question not in known:
                problem = f"names `{question}`, which is not a question in that version."
                hint = did_you_mean(question, known)
                raise _FaultError(f"{change.version} {problem} {hint}".strip())
        for question in sorted(gone & known - made):
            raise _FaultError(f"{change.version} removes `{question}`, but the template asks it.")
        known = known - made | gone
