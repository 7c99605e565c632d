"""Render a service from answers. The only module that imports Copier."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.compiled import compiled_once
from svcgen.service import ANSWERS_FILE
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import (
    asked,
    patterns_text,
    read_configuration,
    read_patterns,
    trust_wanted,
)
from svcgen.templates.sources import open_source
from svcgen.yaml_files import as_yaml


def questions(version: Version | None = None) -> dict[str, Mapping[str, Any]]:
    """Return the questions that a user can answer, by name; by default of svcgen's template."""
    return asked(read_configuration((version or open_source().obtain()).folder))


def wants_trust(version: Version) -> tuple[str, ...]:
    """Return which parts of a template run its own programs: tasks, migrations, extensions."""
    return trust_wanted(read_configuration(version.folder))


def user_trusts(source: str) -> bool:
    """Return whether the user's Copier settings trust a source: by name, or by a prefix/.

    Raises SvcgenError when the settings cannot be read.
    """
    from copier import load_settings

    plain = not any(part in source for part in ("..", "%", "\\"))
    try:
        trusted = [os.path.expanduser(entry) for entry in load_settings().trust]  # noqa: PTH111 (URLs)
    except Exception as error:  # YAML that a person wrote
        raise SvcgenError(f"Copier's settings cannot be read: {error}") from error
    return any(
        source == entry or (entry.endswith("/") and plain and source.startswith(entry))
        for entry in trusted
    )


def check_answers(answers: Mapping[str, Any], version: Version | None = None) -> None:
    """Check answers against a template's questions, by default svcgen's; nothing is written.

    Raises SvcgenError with the question, what is wrong with its answer, and a valid example.
    """
    template = version or open_source().obtain()
    _probe(read_configuration(template.folder), answers, template.source, "", trusted=False)


def seeded_patterns(
    version: Version, answers: Mapping[str, Any], *, trusted: bool = False
) -> tuple[str, ...]:
    """Return the patterns (as in .gitignore) of the paths that an update never changes.

    These are what `_exclude` lists only when `_copier_operation` is `update`, and all of
    `_skip_if_exists`, rendered with a service's answers. Raises SvcgenError for a rejected answer.
    """
    settings = read_configuration(version.folder)
    text = patterns_text(settings)
    return read_patterns(_probe(settings, answers, version.source, text, trusted=trusted))


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
    wanted = wants_trust(version)
    with _render_environment(wanted):
        _copy(
            version, folder, given,
            unsafe=trusted, defaults=not ask, user_defaults=dict(defaults or {}),
        )  # fmt: skip
    if (folder / ANSWERS_FILE).is_file():
        _record_version(folder / ANSWERS_FILE, version)
    return folder


def render_service(folder: Path, answers: Mapping[str, Any]) -> Path:
    """Render a service of svcgen's own template, in its current state, into a new folder.

    Raises SvcgenError when the template refuses an answer.
    """
    return render_version(open_source().obtain(), folder, answers)


def _probe(
    settings: Mapping[str, Any],
    answers: Mapping[str, Any],
    source: str,
    text: str,
    *,
    trusted: bool,
) -> str:
    """Render one text with a template's questions; render and run nothing else."""
    left_out = ("_exclude", "_skip_if_exists", "_tasks", "_migrations", "_subdirectory")
    kept = {name: value for name, value in settings.items() if name not in left_out}
    if not trusted:
        kept.pop("_jinja_extensions", None)
    with TemporaryDirectory(prefix="svcgen-") as name:
        folder = Path(name)
        (folder / "probe").mkdir()
        configuration = as_yaml({**kept, "_subdirectory": "probe"}, sort=False)
        (folder / "copier.yml").write_text(configuration, encoding="utf-8")
        probe = folder / "probe" / f"text{settings.get('_templates_suffix', '.jinja')}"
        probe.write_text(text, encoding="utf-8")
        version = Version(source, "", folder)
        with _render_environment(trust_wanted(kept)):
            _copy(version, folder / "made", answers, unsafe=trusted, defaults=True)
        return (folder / "made" / "text").read_text(encoding="utf-8")


def _copy(version: Version, folder: Path, answers: Mapping[str, Any], **options: Any) -> None:
    from copier import Settings, run_copy

    source, data = str(version.folder), dict(answers)
    settings = Settings()  # a user's own Copier defaults would make two machines differ
    try:
        run_copy(source, folder, data=data, quiet=True, settings=settings, **options)
    except Exception as error:  # a template is a program, and can fail in any way
        template = f"{version.source} {version.name}".strip()
        raise SvcgenError(*_problem_and_advice(error, template)) from error


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


def _problem_and_advice(error: Exception, template: str) -> tuple[str, str]:
    """Return problem and advice of Copier's `Validation error for question 'name': …`."""
    text = " ".join(str(error).split())
    refusal = _REFUSAL.fullmatch(str(error))
    if refusal:
        question, problem, advice = refusal.groups()
        problem = _INVALID_CHOICE.sub(_choices_in_words, problem)
        return f"The answer to `{question}` cannot be used: {problem}", advice or ""
    worded = type(error).__module__.startswith("copier") or isinstance(error, ValueError | OSError)
    kind = "" if worded and text else f"{type(error).__name__}: "
    return f"{template} cannot be used: {kind}{text}", ""


@contextmanager
def _render_environment(wanted: tuple[str, ...]) -> Iterator[None]:
    """Compile texts once, and hide git from Copier: it would start one process a file.

    Copier documents that it copies without git where none is installed (since 9.15.1). Tasks are
    programs and need PATH; a template's own extensions can parse the same text in two ways.
    """
    from plumbum import local

    with ExitStack() as stack:
        if "extensions" not in wanted:
            stack.enter_context(compiled_once())
        if "tasks" not in wanted:
            stack.enter_context(local.env(PATH=os.devnull))
        yield


_RECORDED = re.compile(r"^(?:_commit|_src_path):.*(?:\n[ \t]+.*)*(?:\n|\Z)", re.MULTILINE)


def _record_version(answers: Path, version: Version) -> None:
    """Record the version as Copier does when it clones the source itself.

    Written as YAML: one abbreviated commit in thirty is all digits, and has to stay a string.
    """
    commit = {"_commit": version.name} if version.name else {}
    lines = _RECORDED.sub("", answers.read_text(encoding="utf-8")).splitlines(keepends=True)
    at = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    lines[at:at] = [as_yaml({**commit, "_src_path": version.source})]
    answers.write_text("".join(lines), encoding="utf-8")
