"""Reading OpenAPI documents; what they must say is in docs/contract.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError


def read_document(path: Path) -> dict[str, Any]:
    """Read an OpenAPI document; SvcgenError says whether it is missing or no such document."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SvcgenError("is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SvcgenError("is no OpenAPI document") from error
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise SvcgenError("is no OpenAPI document")
    return document
