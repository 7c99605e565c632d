"""The documents that `--json` prints: one dataclass a command, apart from internal classes.

A document is a promise to programs, so renaming an internal field must not change it.
docs/reference/json.md is generated from these classes; tests/cli/snapshots has one of each.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VERSION = 1
"""The version of all documents. It rises when a field is removed or changes its meaning."""


def as_json(document: DataclassInstance) -> str:
    """Return a document as JSON, with its version first.

    JSON is UTF-8: a byte of a file or of a name that is not UTF-8 becomes U+FFFD. A value that
    JSON does not have, such as a date in a template's questions, becomes a string.
    """
    value = {"version": VERSION, **asdict(document)}
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text.encode(errors="surrogateescape").decode(errors="replace")
