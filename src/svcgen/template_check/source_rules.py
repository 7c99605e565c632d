"""The rules for a template's source, for which nothing is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from svcgen.errors import SvcgenError
from svcgen.template_check.fault import TemplateFault
from svcgen.template_check.output_rules import windows_refuses
from svcgen.template_check.source_tree import QUESTIONS, SourceTree
from svcgen.templates.base import Version
from svcgen.templates.copier_yml import matcher
from svcgen.templates.declaration import read_declaration

# Names of languages and of their tools, without Go, which is also a verb.
_LANGUAGES = (
    *("python", "pip", "uvicorn", "fastapi", "golang", "npm", "java", "maven", "cargo"),
    *("django", "flask", "gradle", "kotlin", "ruby", "rust", "scala", "typescript"),
)
_LOCKS = (
    "requirements*.txt",
    "go.sum",
    "package-lock.json",
    "uv.lock",
    "poetry.lock",
    "Cargo.lock",
)
_SHORTEST = 3  # letters of a stack's name that the rule looks for


def source_faults(template: SourceTree) -> Iterator[TemplateFault]:
    """Apply each rule for a template's source."""
    for rule in (windows_names, layers_declared, shared_names_no_language, locks_name_no_registry):
        yield from rule(template)


def windows_names(template: SourceTree) -> Iterator[TemplateFault]:
    """Find names at which a checkout of the template fails on Windows."""
    for path in template.files:
        if reason := windows_refuses(path):
            yield TemplateFault(path, "windows-name", reason)


def layers_declared(template: SourceTree) -> Iterator[TemplateFault]:
    """Find layers without a question that chooses them, and such questions without a folder."""
    for name, path in template.layers.items():
        if name not in template.questions:
            problem = f"{QUESTIONS} has no question {name}, which says when the layer is chosen"
            yield TemplateFault(path, "layer", problem)
    for name, question in template.questions.items():
        if _is_layer(question) and name not in template.layers:
            folder = f"{template.root}/{{{{{name}}}}}".lstrip("/")
            yield TemplateFault(
                QUESTIONS, "layer", f"{name} chooses a layer, and there is no {folder}"
            )


def _is_layer(question: object) -> bool:
    default = question.get("default", "") if isinstance(question, dict) else ""
    return str(default).startswith("{{ '.' if")


def layers_used(template: SourceTree, written: Iterable[str]) -> Iterator[TemplateFault]:
    """Find layers that no answers choose; `written` are all paths that wrote a file."""
    paths = set(written)
    for path in template.layers.values():
        if not any(name.startswith(f"{path}/") for name in paths):
            yield TemplateFault(path, "layer", "no answers choose this layer")


def shared_names_no_language(template: SourceTree) -> Iterator[TemplateFault]:
    """Find names of languages in files that all stacks share: these must fit every language."""
    stacks = _choices(template)
    if not template.layers or not stacks:
        return
    own = tuple(
        f"{path}/" for name, path in template.layers.items() if name.partition("_")[0] in stacks
    )
    named = {*_LANGUAGES, *(stack for stack in stacks if len(stack) >= _SHORTEST)}
    words = re.compile(rf"\b({'|'.join(map(re.escape, sorted(named)))})\b", re.I)
    for path, file in template.files.items():
        if not path.startswith(own) and (found := words.search(_text(file))):
            problem = f"names {found[0]}, and every stack shares it: move that into a layer"
            yield TemplateFault(path, "language", problem)


def _choices(template: SourceTree) -> set[str]:
    choices = template.questions.get("stack", {}).get("choices") or ()
    values = choices.values() if isinstance(choices, dict) else choices
    return {str(value) for value in values} if not isinstance(choices, str) else set()


def locks_name_no_registry(template: SourceTree) -> Iterator[TemplateFault]:
    """Find addresses in lock files: users of a package mirror cannot reach them."""
    for path, file in template.files.items():
        if any(PurePosixPath(path).match(name) for name in lock_names(template)):
            # npm also records the funding pages of packages.
            text = re.sub(r'"url": ".*"', "", _text(file))
            if address := re.search(r"\w+://[^\s\"',]+", text):
                yield TemplateFault(path, "registry", f"names {address[0]}: lock without addresses")


def lock_names(template: SourceTree) -> tuple[str, ...]:
    """Return the names of well-known lock files, and those that the template declares."""
    manifests = template.own.get("manifests")
    declared = manifests.values() if isinstance(manifests, dict) else ()
    more = (str(lock) for locks in declared if isinstance(locks, list) for lock in locks)
    return tuple(dict.fromkeys((*_LOCKS, *more)))


def _text(path: Path) -> str:
    return "" if path.is_symlink() else path.read_text(encoding="utf-8", errors="replace")


def patterns_match(patterns: Iterable[str], paths: Iterable[str]) -> Iterator[TemplateFault]:
    """Find seeded patterns that match no path of any answers: a typo protects nothing."""
    names = sorted(set(paths))
    for pattern in dict.fromkeys(patterns):
        if not any(map(matcher([pattern.removeprefix("!")]), names)):
            yield TemplateFault(QUESTIONS, "seeded", f"{pattern} matches no path of any service")


def declared_fits(version: Version, paths: Iterable[str]) -> Iterator[TemplateFault]:
    """Find questions and paths that a template declares to svcgen and does not have."""
    try:
        declared = read_declaration(version)
    except SvcgenError as error:
        yield TemplateFault(QUESTIONS, "declared", error.problem.partition(": ")[2])
        return
    manifests = declared.manifests.items()
    yield from patterns_match((path for name, locks in manifests for path in (name, *locks)), paths)
