"""A file's text read as what its name says."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import PurePosixPath
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.service import parse_documents

# These have suffixes of data, and another language: Helm's templates, and JSON with comments.
_HELM = re.compile(r"(^|/)charts?(/[^/]+)?/templates/")
_COMMENTED = re.compile(r"(^|/)\.(vscode|devcontainer)/|(^|/)tsconfig[^/]*\.json$")


def parse(path: str, text: str) -> Any:
    """Return what a text holds: data, Python's syntax tree, or None for other kinds of files.

    Raises ValueError with the place when the text is not what the path's suffix says.
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
    """Tell whether a path is one of a chart's own templates."""
    return _HELM.search(path) is not None
