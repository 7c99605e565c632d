"""What changed between two versions of a template, in the words of its CHANGELOG.md."""

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
    """What one version changes in a service; `version` is "Unreleased" for what comes next."""

    version: str
    text: str


@dataclass(frozen=True)
class Section:
    """One version's section: its heading's version and date ("" where none), and its text.

    The text is that of the part `### Template` where there is one: a changelog may also tell of
    what is no template.
    """

    version: str
    date: str
    text: str
    of_template: bool


def entries(version: Version, after: str) -> tuple[Entry, ...]:
    """Return what changed after one version up to another, oldest first.

    () when the template has no CHANGELOG.md, or the order of the two is not known.
    """
    file = version.folder / "CHANGELOG.md"
    if not file.is_file():
        return ()
    sections = {one.version: one for one in read_sections(file.read_text(encoding="utf-8"))}
    try:
        between = [one for one in ordered(sections) if _between(after, one, version.name)]
    except SvcgenError:
        return ()
    if version.name and version.name != tag_of(version.name) and UNRELEASED in sections:
        between.append(UNRELEASED)
    found = (sections[one] for one in between)
    return tuple(Entry(one.version, one.text) for one in found if one.text)


def read_sections(text: str) -> Iterator[Section]:
    """Split a changelog at its headings, `## VERSION - DATE`."""
    headings = list(_SECTION.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        body = text[heading.end() : end]
        parts = _parts(body)
        told = parts.get("Template", "" if "CLI" in parts else body)
        yield Section(heading[1], heading[2] or "", told.strip(), "Template" in parts)


def _between(after: str, one: str, upto: str) -> bool:
    return compare(after, one) < 0 <= compare(upto, one)


def _parts(body: str) -> dict[str, str]:
    _before, *rest = _PART.split(body)
    return dict(zip(rest[::2], rest[1::2], strict=True))
