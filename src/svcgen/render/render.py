"""Render a service from answers."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from svcgen.errors import AnswerError, SvcgenError
from svcgen.render.compiled import compiled_once
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import (
    asked,
    patterns_text,
    read_configuration,
    read_patterns,
    trust_wanted,
)
from svcgen.templates.sources import open_source


def questions(version: Version | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the questions that a user can answer, by name; by default of svcgen's template."""
    return asked(read_configuration((version or open_source().obtain()).folder))


def wants_trust(version: Version) -> tuple[str, ...]:
    """Return which parts of a template run its own programs in a render: tasks, extensions."""
    return trust_wanted(read_configuration(version.folder))


def check_answers(answers: Mapping[str, Any], version: Version | None = None) -> None:
    """Check answers against a template's questions, by default svcgen's; nothing is written.

    Raises SvcgenError with the question, what is wrong with its answer, and a valid example.
    """
    template = version or open_source().obtain()
    _probe(template, answers, "", trusted=False)


def derived_answers(
    version: Version, stored: Mapping[str, Any], changed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return new answers to the questions that still have the default derived from stored ones.

    `description` is by default "The orders service.": with another name it is another one.
    """
    derived = {}
    for name, question in questions(version).items():
        default = question.get("default")
        if name in changed or not (isinstance(default, str) and "{{" in default):
            continue
        others = {each: answer for each, answer in stored.items() if each != name}
        if stored.get(name) == _probe(version, others, default, trusted=False):
            derived[name] = _probe(version, {**others, **changed}, default, trusted=False)
    return derived


def seeded_patterns(
    version: Version, answers: Mapping[str, Any], *, trusted: bool = False
) -> tuple[str, ...]:
    """Return the patterns (as in .gitignore) of the paths that an update never changes.

    These are what `_exclude` lists only when `_copier_operation` is `update`, and all of
    `_skip_if_exists`, rendered with a service's answers. Raises SvcgenError for a rejected answer.
    """
    text = patterns_text(read_configuration(version.folder))
    return read_patterns(_probe(version, answers, text, trusted=trusted))


def render_version(  # noqa: PLR0913 (the first three are what, where and with what)
    version: Version,
    folder: Path,
    answers: Mapping[str, Any],
    *,
    trusted: bool = False,
    ask: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> Path:
    """Render a service of one template version into a new folder.

    Questions without an answer are asked, or get their default; `defaults` replace the template's.
    Copier uses the folder's name as `_folder_name`. The answers file records the version's source.
    Raises SvcgenError when the template refuses an answer, cannot be rendered, or would run its
    own programs without trust.
    """
    given = {name: answer for name, answer in answers.items() if not name.startswith("_")}
    with render_environment(version), errors_of(version):
        from svcgen.render.worker import ExportedTemplate, ExportedWorker

        template = ExportedTemplate.of(version)
        with ExportedWorker.of(
            template, folder, given, unsafe=trusted, defaults=not ask, user_defaults=defaults
        ) as worker:
            worker.run_copy()
    return folder


def render_service(folder: Path, answers: Mapping[str, Any]) -> Path:
    """Render a service of svcgen's own template, in its current state, into a new folder.

    Raises SvcgenError when the template refuses an answer.
    """
    return render_version(open_source().obtain(), folder, answers)


def _probe(version: Version, answers: Mapping[str, Any], text: str, *, trusted: bool) -> str:
    """Render one text with a template's questions; render and run nothing else.

    Macros and includes are found in the template's folder. Without trust, its extensions are not.
    """
    with render_environment(version), errors_of(version):
        from svcgen.render.worker import ExportedTemplate, ExportedWorker

        template = ExportedTemplate.of(version, extensions_allowed=trusted)
        folder = version.folder / "no-service"  # nothing is written
        with ExportedWorker.of(template, folder, answers, unsafe=trusted) as worker:
            return worker.rendered(text)


@contextmanager
def errors_of(version: Version) -> Iterator[None]:
    """Raise SvcgenError for whatever a template fails with: it is a program."""
    try:
        yield
    except KeyboardInterrupt:  # Copier's own is an Exception too
        raise KeyboardInterrupt from None
    except Exception as error:
        raise _in_words(error, f"{version.source} {version.name}".strip()) from error


_REFUSAL = re.compile(r".*?for (?:question )?'(\w+)': (.*?)(?:\n(.*))?", re.DOTALL)


_INVALID_CHOICE = re.compile(r"('.*') is not in (\[.*\])", re.DOTALL)


def _choices_in_words(invalid: re.Match[str]) -> str:
    """Name the accepted answers in words: Copier shows them as a list of Python."""
    answer, listed = invalid.groups()
    try:
        *others, last = map(str, ast.literal_eval(listed))
    except (SyntaxError, ValueError):
        return invalid[0]
    words = f"{', '.join(others)} or {last}" if others else last
    return f"{answer} is not a choice. Choose {words}."


def _in_words(error: Exception, template: str) -> SvcgenError:
    """Return the error for whatever Copier raised: `Validation error for question 'name': …`."""
    text = " ".join(str(error).split())
    refusal = _REFUSAL.fullmatch(str(error))
    if refusal:
        question, problem, advice = refusal.groups()
        problem = _INVALID_CHOICE.sub(_choices_in_words, problem)
        return AnswerError(question, problem, advice or "")
    worded = type(error).__module__.startswith("copier") or isinstance(error, ValueError | OSError)
    kind = "" if worded and text else f"{type(error).__name__}: "
    return SvcgenError(f"{template} cannot be used: {kind}{text}")


@contextmanager
def render_environment(version: Version, *, programs: bool = False) -> Iterator[None]:
    """Compile texts once, and hide git from Copier: it would start one process a file.

    Copier documents that it copies without git where none is installed (since 9.15.1). Tasks are
    programs and need PATH; a template's own extensions can parse the same text in two ways.
    """
    from plumbum import local

    wanted = wants_trust(version)
    with ExitStack() as stack:
        if "extensions" not in wanted:
            stack.enter_context(compiled_once())
        if not (programs or "tasks" in wanted):
            stack.enter_context(local.env(PATH=os.devnull))
        yield
