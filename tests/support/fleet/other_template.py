"""A template that is not ours, with what others have and ours has not.

Links, a binary file, `_skip_if_exists`, names of versions without a `v`, no `_svcgen`, a text
without newline at its end, a script that becomes executable, a file that becomes a folder.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.fleet.cases import MODEL
from tests.support.fleet.tree import File, Tree, write

VERSIONS = ("0.9.0", "0.10.0", "1.0.0")
ANSWERS = ({"name": MODEL, "licence": "mit"}, {"name": MODEL, "licence": "none"})
_SETTINGS = b"""\
_subdirectory: project
_preserve_symlinks: true
_skip_if_exists: [NOTES.md, "*.local"]
_exclude: ["{% if licence == 'none' %}LICENCE{% endif %}", "*.orig"]
name: {type: str}
licence: {type: str, choices: [mit, none], default: mit}
"""
_ANSWERS_FILE = "{{ _copier_conf.answers_file }}.jinja"


def write_versions(root: Path) -> dict[str, Path]:
    """Write each version of the template into a folder of its own; return them by name."""
    return {version: write(root / version, _version(n)) for n, version in enumerate(VERSIONS)}


def _version(number: int) -> Tree:
    project = {**_always(number), **_STEPS[number]}
    return {
        "copier.yml": File(_SETTINGS),
        **{f"project/{path}": file for path, file in project.items()},
    }


def _always(number: int) -> Tree:
    numbered = [f"line {n} of {number if n % 5 == 0 else 0}" for n in range(40)]
    return {
        _ANSWERS_FILE: File(b"# Kept by Copier.\n{{ _copier_answers|to_nice_yaml -}}\n"),
        "README.md.jinja": File(_text("# {{ name }}", *numbered)),
        "NOTES.md": File(_text(f"notes of {number}")),
        "LICENCE": File(_text(f"licence {number}", "as it is")),
        "src/{{ name }}/main.py.jinja": File(_text("'''{{ name }}.'''", *numbered)),
        "src/settings.local": File(_text(f"level = {number}")),
        "logo.png": File(b"\x89PNG\0" + bytes([number]) * 20),
        "icon.png": File(b"\x89PNG\0 always the same"),
        "last.txt": File(_text(*numbered).removesuffix(b"\n")),
        "run.sh": File(_text("#!/bin/sh", *numbered), executable=number > 0),
        "current": File(b"src" if number < len(VERSIONS) - 1 else b"src/{{ name }}", link=True),
    }


def _text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


_STEPS: tuple[Tree, ...] = (
    {"docs": File(b"see README.md\n"), "tox.ini": File(_text(*"abcdefgh"))},
    {"docs/index.md": File(b"see README.md\n"), "noxfile.ini": File(_text(*"abcdefghi"))},
    {"docs/index.md": File(b"see README.md and others\n"), "latest": File(b"logo.png", link=True)},
)
