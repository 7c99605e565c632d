"""A template's copier.yml: questions, settings, patterns of paths, and what needs trust.

The only module that imports pathspec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.yaml_files import read_documents

# Settings that several documents of one copier.yml add to, as Copier reads them.
_MERGED = ("_exclude", "_jinja_extensions", "_secret_questions", "_skip_if_exists")
_TRUST = {"_tasks": "tasks", "_jinja_extensions": "extensions"}


def read_configuration(folder: Path) -> Mapping[str, Any]:
    """Read a template's copier.yml as Copier does: documents and included files are one map.

    Raises SvcgenError when the folder has none, or it is not a map.
    """
    file = next(filter(Path.is_file, (folder / "copier.yml", folder / "copier.yaml")), None)
    if file is None:
        raise SvcgenError(
            f"{folder} is not a template: it has no copier.yml.",
            "Name a Copier template.",
        )
    return _read(file, file.stat().st_mtime_ns)


@cache
def _read(file: Path, _changed: int) -> Mapping[str, Any]:
    merged: dict[str, Any] = {}
    for document in _flat(read_documents(file)):
        if not isinstance(document, dict):
            raise SvcgenError(f"{file} must be a map of settings and questions.")
        joined = {key: [*merged.get(key, ()), *document[key]] for key in _MERGED if key in document}
        merged |= document | joined
    return merged


def asked(configuration: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the questions that a user may answer, by name, in their order."""
    questions = {
        name: question if isinstance(question, dict) else {"default": question}
        for name, question in configuration.items()
        if not name.startswith("_")
    }
    return {
        name: question for name, question in questions.items() if question.get("when") is not False
    }


def choices(question: Mapping[str, Any]) -> dict[str, str]:
    """Return the answers that a question offers, with their labels.

    It is empty if any answer is accepted, or if Jinja computes the choices.
    """
    offered = question.get("choices") or ()
    if isinstance(offered, str):
        return {}
    found = {}
    for choice in offered.items() if isinstance(offered, Mapping) else offered:
        label, value = choice[:2] if isinstance(choice, list | tuple) else (choice, choice)
        answer = value.get("value") if isinstance(value, Mapping) else value  # with a `validator`
        found[str(answer)] = str(label)
    return found


def type_name(question: Mapping[str, Any]) -> str:
    """Return Copier's name of a question's type: the declared one, else that of its default."""
    default = question.get("default")
    inferred = type(default).__name__ if isinstance(default, bool | int | float | str) else "yaml"
    return str(question.get("type") or inferred)


def trust_wanted(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what of a template runs its own programs in a render: tasks, extensions."""
    return tuple(word for setting, word in _TRUST.items() if configuration.get(setting))


def _flat(documents: Any) -> Iterator[Any]:
    for document in documents:
        if isinstance(document, list):
            yield from _flat(document)
        elif document is not None:
            yield document


# Separate patterns and lists of patterns; no template uses these private code points.
_PATTERN, _LIST = "\ue000", "\ue001"


def patterns_text(settings: Mapping[str, Any]) -> str:
    """Return the patterns of a template as one text to render: for copy, for update, for both.

    Both are those of `_skip_if_exists`; the others those of `_exclude`, whose texts may depend on
    the operation.
    """
    envops = settings.get("_envops") or {}
    start, end = envops.get("block_start_string", "{%"), envops.get("block_end_string", "%}")
    excluded = _PATTERN.join(map(str, settings.get("_exclude") or ()))
    skipped = _PATTERN.join(map(str, settings.get("_skip_if_exists") or ()))
    lists = [
        f"{start} set _copier_operation = '{operation}' {end}{excluded}"
        for operation in ("copy", "update")
    ]
    return _LIST.join([*lists, skipped])


def read_patterns(rendered: str) -> tuple[str, ...]:
    """Return the rendered patterns that only an update excludes, and those of `_skip_if_exists`."""
    made, updated, skipped = (part.split(_PATTERN) for part in rendered.split(_LIST))
    only = [now for before, now in zip(made, updated, strict=True) if now != before]
    lines = (line for text in [*only, *skipped] for line in text.splitlines())
    return tuple(line for line in lines if line.strip())


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that matches paths as Copier matches `_exclude`.

    Raises SvcgenError for a pattern that is none.
    """
    from pathspec import PathSpec

    try:
        return PathSpec.from_lines("gitignore", patterns).match_file
    except ValueError as error:
        raise SvcgenError(f"A pattern of paths cannot be read: {error}") from error
