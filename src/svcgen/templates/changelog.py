"""The changes between two versions of a template, from its CHANGELOG.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from svcgen.errors import SvcgenError
from svcgen.templates.base import Version
from svcgen.templates.versions import compare, ordered, tag_of

UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## +\[?([^\s\]]+)\]?(?: +- +(\S+))?[ \t]*$", re.MULTILINE)
_PART = re.compile(r"^### +(.+?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """What one version changes in a service; `version` is "Unreleased" for the next one."""

    version: str
    text: str


@dataclass(frozen=True)
class Section:
    """One version's section: its heading's version and date ("" where none), and its text.

    The text is that of the part `### Template` where there is one: a changelog may also describe
    other things.
    """

    version: str
    date: str
    text: str
    of_template: bool


def entries(version: Version, after: str) -> tuple[Entry, ...]:
    """Return what changed after one version up to another, oldest first.

    () when the template has no CHANGELOG.md, or the order of the two is unknown.
    """
    file = version.folder / "CHANGELOG.md"
    if not file.is_file():
        return ()
    sections = {each.version: each for each in read_sections(file.read_text(encoding="utf-8"))}
    try:
        between = [
            name
            for name in ordered(sections)
            if compare(after, name) < 0 <= compare(version.name, name)
        ]
    except SvcgenError:
        return ()
    if version.name and version.name != tag_of(version.name) and UNRELEASED in sections:
        between.append(UNRELEASED)
    found = (sections[name] for name in between)
    return tuple(Entry(each.version, each.text) for each in found if each.text)


def read_sections(text: str) -> Iterator[Section]:
    """Split a changelog at its headings, `## VERSION - DATE`."""
    headings = list(_SECTION.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        body = text[heading.end() : end]
        _before, *rest = _PART.split(body)
        parts = dict(zip(rest[::2], rest[1::2], strict=True))
        changes = parts.get("Template", "" if "CLI" in parts else body)
        yield Section(heading[1], heading[2] or "", changes.strip(), "Template" in parts)
