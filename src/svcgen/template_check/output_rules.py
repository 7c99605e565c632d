"""The rules for rendered services; each rule checks one service, or compares two."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.service import ANSWERS_FILE
from svcgen.template_check.fault import RenderedService, TemplateFault
from svcgen.yaml_files import parse_documents

# Templates of programs other than Copier: their braces are not Copier's.
_OWN_BRACES = (".mustache", ".hbs", ".j2", ".jinja", ".jinja2", ".tmpl", ".gotmpl", ".tpl")
# `${{ … }}` is an expression of CI workflows.
_LEFT = re.compile(r"(?<!\$)\{\{|\{%|\{#|\bUndefined\b")
_STATEMENT = r"\{%[-+]? *(if|elif|else|endif|for|endfor|set|raw|endraw|yield|include|macro)\b"
_MEANT = re.compile(r"\{%[-+]? *raw\b|['\"]\{[{%#]")  # how a template writes braces on purpose
_DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.I)

Rule = Callable[[str, str], str]  # the service's path and its text -> the problem, or ""


def file_faults(service: RenderedService) -> Iterator[TemplateFault]:
    """Apply each rule for single files to all files of a service."""
    for name, path in service.files.items():
        if reason := windows_refuses(name):
            yield TemplateFault(service.source(name), "windows-name", reason)
        text = _text(path)
        if text is None:
            continue
        for rule, look in FILE_RULES.items():
            if problem := look(name, text):
                yield TemplateFault(service.source(name), rule, problem)


def parses(path: str, text: str) -> str:
    """Return why YAML, JSON, TOML or Python cannot be parsed; empty when it can."""
    try:
        parse(path, text)
    except ValueError as error:
        return f"cannot be read: {error}"
    return ""


def rendered(service: RenderedService) -> Iterator[TemplateFault]:
    """Find remains of the template's language, and undefined values in the output."""
    for name, path in service.files.items():
        text = _text(path)
        if text is None or is_helm(name) or name.endswith(_OWN_BRACES):
            continue
        left = _left_over(service, name)
        for number, line in enumerate(text.splitlines(), start=1):
            if found := left.search(line):
                problem = f"line {number} still has {found[0].strip()}"
                yield TemplateFault(service.source(name), "rendered", problem)
                break


def _left_over(service: RenderedService, name: str) -> re.Pattern[str]:
    """Return the pattern of remains: braces, or in files with intended braces, names of questions.

    A copied file may be Go or TypeScript, where two braces are common.
    """
    template, source = service.template, service.source(name)
    text = _text(template.folder / source)
    if text is None or not source.endswith(template.suffix) or _MEANT.search(text):
        words = "|".join(map(re.escape, sorted(template.questions))) or "(?!)"
        return re.compile(rf"(?<!\$)\{{\{{[-+]? *({words})\b|{_STATEMENT}")
    return _LEFT


def newline(_path: str, text: str) -> str:
    """Return whether a text lacks its last newline: a line added later changes the one before."""
    return "" if not text or text.endswith("\n") else "does not end with a newline"


def windows_refuses(path: str) -> str:
    """Return which part of a path fails in a checkout on Windows; empty when none does."""
    for part in path.split("/"):
        if re.search(r'["<>:|?*\\]', part) or part != part.rstrip(". "):
            return f"{part} has a character that no file on Windows can have there"
        if _DEVICES.fullmatch(part):
            return f"{part} is a device on Windows"
    return ""


FILE_RULES: dict[str, Rule] = {"parses": parses, "newline": newline}


def same_bytes(once: RenderedService, again: RenderedService) -> Iterator[TemplateFault]:
    """Find files that differ when rendered again: an update compares two renders."""
    first, second = once.files, again.files
    for name in sorted(first.keys() | second.keys()):
        if name in first and name in second and _content(first[name]) == _content(second[name]):
            continue
        yield TemplateFault(once.source(name), "again", "is another file when it is rendered again")


def executable_bits(service: RenderedService) -> Iterator[TemplateFault]:
    """Find executable bits that the service lost or got, and scripts that are not executable."""
    for name, path in service.files.items():
        if path.is_symlink():
            continue
        source = service.template.folder / service.source(name)
        if not source.exists():
            continue
        if _runs(source) != _runs(path):
            state = "lost" if _runs(source) else "got"
            yield TemplateFault(service.source(name), "executable", f"{state} its executable bit")
        elif not _runs(path) and path.read_bytes().startswith(b"#!/"):
            yield TemplateFault(
                service.source(name), "executable", "begins with #! and cannot be run"
            )


def one_case(service: RenderedService) -> Iterator[TemplateFault]:
    """Find paths that differ only by case: on Windows and macOS they are one file."""
    seen: dict[str, str] = {}
    for name in service.files:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            problem = f"is the same file as {other} on Windows and macOS"
            yield TemplateFault(service.source(name), "windows-name", problem)


def answers_file(service: RenderedService) -> Iterator[TemplateFault]:
    """Find services without an answers file: they cannot be updated."""
    if ANSWERS_FILE not in service.files:
        yield TemplateFault(
            f"{service.template.root}/{{{{_copier_conf.answers_file}}}}{service.template.suffix}",
            "answers-file",
            "is missing: without it no service can be updated."
            " Its text: {{ _copier_answers|to_nice_yaml -}}",
        )


SERVICE_RULES: tuple[Callable[[RenderedService], Iterator[TemplateFault]], ...] = (
    file_faults,
    rendered,
    executable_bits,
    one_case,
    answers_file,
)


def _text(path: Path) -> str | None:
    if path.is_symlink() or not path.is_file():
        return None
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return None


def _content(path: Path) -> bytes:
    return str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()


def _runs(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o111)


# Their suffixes are those of data, but they are Helm templates, or JSON with comments.
_HELM = re.compile(r"(^|/)charts?(/[^/]+)?/templates/")
_COMMENTED = re.compile(r"(^|/)\.(vscode|devcontainer)/|(^|/)tsconfig[^/]*\.json$")


def parse(path: str, text: str) -> Any:
    """Return a parsed text: data, Python's syntax tree, or None for other kinds of files.

    Raises ValueError with the place when the text does not fit the path's suffix.
    """
    if is_helm(path) or _COMMENTED.search(path):
        return None
    try:
        match PurePosixPath(path).suffix:
            case ".yaml" | ".yml":
                return parse_documents(text)
            case ".json":
                return json.loads(text)
            case ".toml":
                return tomllib.loads(text)
            case ".py":
                return ast.parse(text)
    except (SvcgenError, SyntaxError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    return None


def is_helm(path: str) -> bool:
    """Report whether a path is a template of a Helm chart."""
    return _HELM.search(path) is not None
