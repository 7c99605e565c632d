"""Stored answers, as the questions of a newer template version want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.render import questions
from svcgen.templates.base import Version
from svcgen.templates.declaration import AnswerChange, read_declaration
from svcgen.templates.versions import compare


def carried(stored: Mapping[str, Any], old: Version, new: Version) -> dict[str, Any]:
    """Return stored answers with everything replayed that became of questions after `old`.

    What Copier records beside answers is left out. Raises SvcgenError when the newer template's
    declaration is faulty (see `read_declaration`).
    """
    answers = {name: answer for name, answer in stored.items() if not name.startswith("_")}
    for change in _since(old, new):
        answers = _changed(answers, change)
    return answers


def refuse_forgotten(old: Version, new: Version) -> None:
    """Hold a version that is about to be released to what it declares of the answers before it.

    Raises SvcgenError for a question that it no longer asks without saying why: its answers would
    be forgotten, and one that was renamed would get its default. Also for a change that it
    declares of a later version than itself.
    """
    later = [c.version for c in read_declaration(new).answers if compare(c.version, new.name) > 0]
    if later:
        raise SvcgenError(
            f"copier.yml declares what becomes of answers in {later[0]}, later than {new.name}.",
            f"Write {new.name} there.",
        )
    answers = carried(dict.fromkeys(questions(old)), old, new)
    forgotten = sorted(set(answers) - set(questions(new)))
    if forgotten:
        name = forgotten[0]
        raise SvcgenError(
            f"{new.name} no longer asks `{name}`, which {old.name} did, and does not say why.",
            f"Add to `_svcgen.answers` in copier.yml: {{version: {new.name}, removed: [{name}]}}, "
            f"or in its place renamed: {{{name}: NEW-NAME}}.",
        )


def _since(old: Version, new: Version) -> Iterator[AnswerChange]:
    """Yield the changes after `old`, oldest first.

    All of them: a template declares none later than itself but the one it is about to release.
    """
    if old.name == new.name:
        return
    for change in read_declaration(new).answers:
        if compare(change.version, old.name) > 0:
            yield change


def _changed(answers: Mapping[str, Any], change: AnswerChange) -> dict[str, Any]:
    kept = {name: answer for name, answer in answers.items() if name not in change.removed}
    named = {name: answer for name, answer in kept.items() if name not in change.renamed}
    for name, answer in kept.items():
        if name in change.renamed:
            named.setdefault(change.renamed[name], answer)  # an answer by the new name wins
    for name, table in change.replaced.items():
        if name in named:
            named[name] = _replaced(named[name], table)
    return {**change.added, **named}


def _replaced(answer: Any, table: Mapping[Any, Any]) -> Any:
    """Look an answer up; in a list of them, each. Text `1`, the number and `true` are three."""
    if isinstance(answer, list):
        return [_replaced(item, table) for item in answer]
    for before, after in table.items():
        if type(before) is type(answer) and before == answer:
            return after
    return answer
