"""OpenAPI: the document that clients and the gateway's merged one are made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.context import CheckContext
from svcgen.contract.expect import NotRunError, expect
from svcgen.contract.http import get
from svcgen.contract.targets.base import FOLDER, START

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
OPERATORS = ("/livez", "/readyz", "/metrics", "/openapi.json")
SCHEMAS = {"Item", "NewItem", "ItemPage", "Summary", "Problem"}


def document(context: CheckContext) -> Any:
    """Get the document."""
    answer = get(context.address, "/openapi.json")
    expect(answer.status == 200, f"/openapi.json is {answer.status}")
    expect(answer.kind == "application/json", f"/openapi.json is {answer.kind}")
    return answer.json()


def operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield path, method and description of each operation."""
    for path, item in described["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def openapi(context: CheckContext) -> None:
    described = document(context)
    version, title = described["openapi"], described["info"]["title"]
    expect(version.startswith("3.1."), f"openapi is {version}")
    expect(title == context.service.name, f"info.title is {title!r}")
    found = {(path, method): one.get("operationId") for path, method, one in operations(described)}
    expect(all(found.values()), f"an operation has no operationId: {found}")
    expect(len(set(found.values())) == len(found), f"an operationId stands twice: {found}")
    own = {path for path, _method in found}
    others = own & set(OPERATORS)
    if context.has_example:
        others |= {path for path in own if not path.startswith("/v1/")}
    expect(not others, f"paths for operators are described: {sorted(others)}")
    if context.has_example:
        missing = example(context.path).items() - found.items()
        expect(not missing, f"missing: {sorted(missing)}; the document has {found}")
    needed = SCHEMAS if context.has_example else {"Problem"}
    schemas = needed - set(described.get("components", {}).get("schemas", {}))
    expect(not schemas, f"schemas are missing: {sorted(schemas)}")


def example(path: str) -> dict[tuple[str, str], str]:
    """Return the operations of the example resource."""
    return {
        (path, "get"): "listItems",
        (path, "post"): "createItem",
        (f"{path}/{{id}}", "get"): "getItem",
        (f"{path}/summary", "get"): "getSummary",
    }


def committed(context: CheckContext) -> None:
    written = json.loads(context.service.openapi.read_text(encoding="utf-8"))
    served = document(context)
    different = [name for name in {*written, *served} if written.get(name) != served.get(name)]
    expect(not different, f"{context.service.openapi.name} differs in {sorted(different)}")


def problems(context: CheckContext) -> None:
    offered = list(operations(document(context)))
    if not offered:
        raise NotRunError("needs an operation in openapi.json")
    seen = 0
    for path, method, operation in offered:
        for status, response in operation.get("responses", {}).items():
            if status[:1] in "45" or status == "default":
                kinds = set(response.get("content", {}))
                expect(kinds == {"application/problem+json"}, f"{method} {path} {status}: {kinds}")
                seen += 1
    expect(seen, "no error is described")


CHECKS = (
    Check("openapi", "OpenAPI 3.1 with an operationId each", openapi),
    Check(
        "openapi-committed",
        "equals the committed openapi.json",
        committed,
        frozenset({START, FOLDER}),
    ),
    Check("openapi-problems", "errors are described as problems", problems),
)
