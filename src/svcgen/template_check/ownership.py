"""Which path of a template writes which path of a service, and which two write the same one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from svcgen.template_check.fault import TemplateFault
from svcgen.template_check.source_tree import QUESTIONS, SourceTree, below
from svcgen.yaml_files import as_yaml

_NUMBER = re.compile(r"(.*)\.svcgen-(\d+)", re.DOTALL)


def write_probe(template: SourceTree, folder: Path) -> None:
    """Write a template with the same names and no texts, each name with a number behind it.

    So no two of its paths can meet in a service, and the number tells where each came from.
    """
    left_out = ("_exclude", "_skip_if_exists", "_tasks", "_migrations")
    said = {**template.settings, **template.questions}
    kept = {name: value for name, value in said.items() if name not in left_out}
    (folder / template.root).mkdir(parents=True, exist_ok=True)
    text = as_yaml({**kept, "_exclude": []}, sort=False)
    (folder / QUESTIONS).write_text(text, encoding="utf-8")
    for number, path in enumerate(template.files):
        bare = path.removesuffix(template.suffix)
        probe = folder / f"{bare}.svcgen-{number}{template.suffix}"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()


def read_probe(template: SourceTree, service: Path) -> dict[str, list[str]]:
    """Return, for each path of a service, the template's paths that write it."""
    paths = list(template.files)
    found: dict[str, list[str]] = defaultdict(list)
    for name in below(service):
        match = _NUMBER.fullmatch(name)
        if match and not match[1].endswith("/") and match[1]:
            found[match[1]].append(paths[int(match[2])])
    return dict(found)


def one_owner(writers: Mapping[str, list[str]]) -> Iterator[TemplateFault]:
    """Find paths of a service that two of the template write: which one wins is chance."""
    for name, paths in sorted(writers.items()):
        if len(paths) > 1:
            others = ", ".join(paths[1:])
            yield TemplateFault(paths[0], "one-owner", f"writes {name}, and so does {others}")
