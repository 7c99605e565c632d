"""The only module that imports Copier: from answers to the files of a service."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.render.versions import SOURCE, template_folder, template_version
from svcgen.service import ANSWERS_FILE, as_yaml, read_yaml


@dataclass(frozen=True)
class Template:
    """A template to render: ours by default, or any source that Copier understands."""

    source: str = ""
    ref: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)


def questions() -> dict[str, Mapping[str, Any]]:
    """Return the questions of our template that a user may answer, by name."""
    return {
        name: question
        for name, question in read_yaml(template_folder() / "copier.yml").items()
        if not name.startswith("_") and question.get("when") is not False
    }


def check_answers(answers: Mapping[str, Any]) -> None:
    """Let our template's questions judge these answers; nothing is rendered or written.

    Raises SvcgenError with the question, what is wrong with its answer, and a valid example.
    """
    with TemporaryDirectory(prefix="svcgen-") as folder:
        shutil.copy(template_folder() / "copier.yml", folder)
        Path(folder, "template").mkdir()
        with _without_git():
            _copy(folder, Path(folder, "nothing"), answers, Template(), ask=False)


def render_service(
    folder: Path,
    answers: Mapping[str, Any],
    template: Template | None = None,
    *,
    ask: bool = False,
) -> Path:
    """Write a service into a new folder from these answers; the rest is asked or defaulted.

    Raises SvcgenError when the template refuses an answer.
    """
    template = template or Template()
    if template.source:
        _copy(template.source, folder, answers, template, ask=ask)
    else:
        with _without_git():
            _copy(str(template_folder()), folder, answers, template, ask=ask)
        _record_version(folder / ANSWERS_FILE)
    return folder


def _copy(
    source: str, folder: Path, answers: Mapping[str, Any], template: Template, *, ask: bool
) -> None:
    from copier import Settings, run_copy
    from copier.errors import CopierError

    try:
        run_copy(
            source,
            folder,
            data=dict(answers),
            user_defaults=dict(template.defaults),
            vcs_ref=template.ref or None,
            defaults=not ask,
            quiet=True,
            settings=Settings(),  # a user's own Copier defaults would make two machines differ
        )
    except (CopierError, ValueError, OSError) as error:
        raise SvcgenError(*_in_our_words(error, template.source)) from error
    except Exception as error:  # git's own failures come as plumbum's, without a common base
        if type(error).__module__.partition(".")[0] != "plumbum":
            raise
        raise SvcgenError(
            f"{source} cannot be read as a template.", f"git says: {_last_line(str(error))}"
        ) from error


_REFUSAL = re.compile(r".*?for (?:question )?'(\w+)': (.*?)(?:\n(.*))?", re.DOTALL)


def _in_our_words(error: Exception, source: str) -> tuple[str, str]:
    """Split Copier's `Validation error for question 'name': …` into problem and advice."""
    text = str(error) or type(error).__name__
    refusal = _REFUSAL.fullmatch(text)
    if not refusal:
        return f"{source or 'The template'} cannot be used: {' '.join(text.split())}", ""
    question, problem, advice = refusal.groups()
    return f"The answer to `{question}` cannot be used: {problem}", advice or ""


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2].strip(" |")


@contextmanager
def _without_git() -> Iterator[None]:
    """Hide git from Copier: it would start one process a file, and clone a checkout first.

    Copier documents that it copies without git where there is none (since 9.15.1).
    """
    from plumbum import local

    with local.env(PATH=os.devnull):
        yield


def _record_version(answers: Path) -> None:
    """Write what Copier would have recorded had it cloned the public repository.

    As YAML writes it: one abbreviated commit in thirty is all digits, and has to stay a string.
    """
    lines = answers.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("_commit:", "_src_path:"))]
    at = next((i for i, line in enumerate(kept) if not line.startswith("#")), len(kept))
    kept[at:at] = [as_yaml({"_commit": template_version(), "_src_path": SOURCE})]
    answers.write_text("".join(kept), encoding="utf-8")
