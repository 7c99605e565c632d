"""The answers that a service stores: read, and migrated to the questions of a newer version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.render import questions
from svcgen.service import ANSWERS_FILE, read_answers
from svcgen.templates.base import Version
from svcgen.templates.declaration import AnswerChange, read_declaration
from svcgen.templates.versions import compare


def stored_answers(folder: Path) -> dict[str, Any]:
    """Return the answers of a service, without Copier's own keys."""
    answers = read_answers(folder / ANSWERS_FILE)
    return {name: answer for name, answer in answers.items() if not name.startswith("_")}


def migrate_answers(stored: Mapping[str, Any], old: Version, new: Version) -> dict[str, Any]:
    """Return stored answers after each change of questions since `old` that `new` declares.

    Copier's own keys are left out. Raises SvcgenError when the newer template's declaration is
    faulty (see `read_declaration`).
    """
    answers = {name: answer for name, answer in stored.items() if not name.startswith("_")}
    if old.name == new.name:
        return answers
    for change in read_declaration(new).answers:  # the oldest first, none later than `new`
        if compare(change.version, old.name) > 0:
            answers = _change(answers, change)
    return answers


def require_declared_answers(old: Version, new: Version) -> None:
    """Check what a version that is about to be released declares about earlier answers.

    Raises SvcgenError for a question that it no longer asks and does not declare: its answers
    would be lost, and a renamed question would get its default. Also for a change that it declares
    for a version later than itself.
    """
    later = [c.version for c in read_declaration(new).answers if compare(c.version, new.name) > 0]
    if later:
        raise SvcgenError(
            f"copier.yml declares a change of answers in {later[0]}, later than {new.name}.",
            f"Write {new.name} there.",
        )
    answers = migrate_answers(dict.fromkeys(questions(old)), old, new)
    undeclared = sorted(set(answers) - set(questions(new)))
    if undeclared:
        name = undeclared[0]
        raise SvcgenError(
            f"{new.name} no longer asks `{name}`, which {old.name} did, and does not declare why.",
            f"Add to `_svcgen.answers` in copier.yml: {{version: {new.name}, removed: [{name}]}}, "
            f"or instead renamed: {{{name}: NEW-NAME}}.",
        )


def _change(answers: Mapping[str, Any], change: AnswerChange) -> dict[str, Any]:
    kept = {name: answer for name, answer in answers.items() if name not in change.removed}
    changed = {name: answer for name, answer in kept.items() if name not in change.renamed}
    for name, answer in kept.items():
        if name in change.renamed:
            changed.setdefault(change.renamed[name], answer)  # an answer by the new name wins
    for name, table in change.replaced.items():
        if name in changed:
            changed[name] = _replace(changed[name], table)
    return {**change.added, **changed}


def _replace(answer: Any, table: Mapping[Any, Any]) -> Any:
    """Look an answer up, in a list each item. The text `1`, the number and `true` differ."""
    if isinstance(answer, list):
        return [_replace(item, table) for item in answer]
    for before, after in table.items():
        if type(before) is type(answer) and before == answer:
            return after
    return answer
