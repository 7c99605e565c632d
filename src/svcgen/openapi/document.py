"""OpenAPI documents and their operations; docs/contract.md lists what a document must have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.files import NoRegularFileError, read_file
from svcgen.openapi.schemas import ANY, Document, listed, mapped, resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Key = tuple[str, str]
"""Method, and path with empty braces: two paths are equal whatever their parameters are called."""


def read_document(path: Path) -> dict[str, Any]:
    """Read an OpenAPI document.

    Raises SvcgenError, with a problem that follows the file's name, when it is missing or invalid.
    """
    try:
        document = json.loads(read_file(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SvcgenError("is missing") from error
    except NoRegularFileError as error:
        raise SvcgenError(f"is not an OpenAPI document: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SvcgenError("is not an OpenAPI document") from error
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise SvcgenError("is not an OpenAPI document")
    return document


@dataclass(frozen=True)
class Operation:
    """One operation with the document that its references lead into."""

    document: Document
    method: str
    path: str
    item: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What identifies the operation in another version of the document."""
        return self.method, re.sub(r"\{[^}]*\}", "{}", self.path)

    @property
    def content(self) -> dict[str, Any]:
        """The operation object."""
        return mapped(self.item, self.method)

    def __str__(self) -> str:
        name = self.content.get("operationId")
        return f"{self.method.upper()} {self.path}" + (f" ({name})" if name else "")

    @property
    def parameters(self) -> dict[Key, dict[str, Any]]:
        """The parameters by location and name; path parameters by their position in the path."""
        order = re.findall(r"\{([^}]*)\}", self.path)
        found = {}
        for entry in (*listed(self.item, "parameters"), *listed(self.content, "parameters")):
            parameter = resolve(self.document, entry)
            if isinstance(parameter, dict):
                location, name = str(parameter.get("in")), str(parameter.get("name"))
                in_path = location == "path" and name in order
                found[location, str(order.index(name)) if in_path else name] = parameter
        return found

    @property
    def body(self) -> dict[str, Any]:
        """The request body; empty when the operation has none."""
        found = resolve(self.document, self.content.get("requestBody"))
        return found if isinstance(found, dict) else {}

    @property
    def responses(self) -> dict[str, Any]:
        """The responses by status: `200`, `4XX`, `DEFAULT`."""
        found = mapped(self.content, "responses")
        return {status.upper(): resolve(self.document, each) for status, each in found.items()}


def operations(document: Document) -> dict[Key, Operation]:
    """Return all operations of a document."""
    found = {}
    for path, reference in mapped(document, "paths").items():
        item = resolve(document, reference)
        for method in METHODS:
            if isinstance(item, dict) and method in item:
                operation = Operation(document, method, path, item)
                found[operation.key] = operation
    return found


def media_types(content_of: Any) -> dict[str, Any]:
    """Return the schemas of a body, response or parameter by media type, without its parameters."""
    content = mapped(content_of, "content")
    return {
        kind.partition(";")[0].strip().lower(): mapped(content, kind).get("schema", ANY)
        for kind in content
    }
