"""The rule that each path of a service has one path of the template that writes it."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from svcgen.template_check.fault import TemplateFault
from svcgen.template_check.source_tree import QUESTIONS, SourceTree, below
from svcgen.yaml_files import as_yaml

_GIT = shutil.ignore_patterns(".git")
_NUMBER = re.compile(r"(.*)\.svcgen-(\d+)", re.DOTALL)


def write_probe(template: SourceTree, folder: Path) -> None:
    """Write a template with the same paths and empty files, each with a number as suffix.

    So no two of its paths write the same one in a service, and the number identifies the source.
    The template's own files are beside them, excluded: questions can import from any of them.
    """
    left_out = ("_exclude", "_skip_if_exists", "_tasks", "_migrations")
    configuration = {**template.settings, **template.questions}
    kept = {name: value for name, value in configuration.items() if name not in left_out}
    shutil.copytree(template.folder, folder, symlinks=True, dirs_exist_ok=True, ignore=_GIT)
    text = as_yaml({**kept, "_exclude": ["*", "!*.svcgen-[0-9]*"]}, sort=False)
    for name in ("copier.yml", "copier.yaml"):  # Copier refuses to choose between the two
        (folder / name).unlink(missing_ok=True)
    (folder / QUESTIONS).write_text(text, encoding="utf-8")
    for number, path in enumerate(template.files):
        bare = path.removesuffix(template.suffix)
        probe = folder / f"{bare}.svcgen-{number}{template.suffix}"
        probe.touch()
        if (folder / path).is_symlink():
            (folder / path).unlink()  # it may lead out of the copy, which Copier refuses


def read_probe(template: SourceTree, service: Path) -> dict[str, list[str]]:
    """Return the template's paths that write each path of a service."""
    paths = list(template.files)
    found: dict[str, list[str]] = defaultdict(list)
    for name in below(service):
        match = _NUMBER.fullmatch(name)
        if match and not match[1].endswith("/") and match[1]:
            found[match[1]].append(paths[int(match[2])])
    return dict(found)


def one_owner(writers: Mapping[str, list[str]]) -> Iterator[TemplateFault]:
    """Find paths of a service that two of the template write: which one wins is undefined."""
    for name, paths in sorted(writers.items()):
        if len(paths) > 1:
            others = ", ".join(paths[1:])
            yield TemplateFault(paths[0], "one-owner", f"writes {name}, and so does {others}")
