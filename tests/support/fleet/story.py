"""A team replaces the example by orders, as docs/replace-the-example.md shows, in each stack.

Only files that belong to the team change, and the manifest gets a dependency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.support.fleet.tree import File, Tree

KIND = "example replaced"


@dataclass(frozen=True)
class Stack:
    """Which files of a stack the team deletes, rewrites and adds."""

    manifest: str
    example: tuple[str, ...]
    registering: str
    added: tuple[str, ...]
    migrations: str
    migration: str
    dependency: tuple[str, str]
    """A line or element of the manifest, and the text that the team inserts before it."""


STACKS = (
    Stack(
        "pyproject.toml",
        ("items.py", "models.py", "store.py", "callees.py", "test_items.py"),
        "service.py",
        ("src/app/orders.py", "src/app/prices.py", "tests/test_orders.py"),
        "src/migrations/versions/",
        "0002_orders.py",
        ('    "uvicorn', '    "structlog>=26.1",\n'),
    ),
    Stack(
        "go.mod",
        ("items.go", "store.go", "callees.go", "items_test.go"),
        "routes.go",
        ("orders.go", "prices.go", "orders_test.go"),
        "migrations/",
        "0002_orders.sql",
        ("\tgo.opentelemetry.io/otel v", "\tgithub.com/shopspring/decimal v1.4.0\n"),
    ),
    Stack(
        "package.json",
        ("items.ts", "models.ts", "store.ts", "callees.ts", "items.test.ts"),
        "service.ts",
        ("src/orders.ts", "src/prices.ts", "test/orders.test.ts"),
        "src/migrations/",
        "0002_orders.sql",
        ('    "fastify"', '    "date-fns": "^4.1.0",\n'),
    ),
    Stack(
        "pom.xml",
        ("Items.java", "Store.java", "Summary.java", "Callees.java", "ItemsTest.java"),
        "OwnSettings.java",
        ("{main}/Orders.java", "{main}/Expiry.java", "{test}/OrdersTest.java"),
        "src/main/resources/db/migration/",
        "V0002__orders.sql",
        (
            "    <dependency>\n      <groupId>org.junit.jupiter<",
            "    <dependency>\n      <groupId>org.javamoney</groupId>\n"
            "      <artifactId>moneta</artifactId>\n      <version>1.4.5</version>\n"
            "    </dependency>\n",
        ),
    ),
)
_ROUTE = """\
  orders-status:
    path: /v1/orders
    methods: [GET, POST, PUT]
    auth: none
"""
_VARIABLES = "extraEnv: [{name: MAX_LINES, value: '50'}, {name: OPEN_SECONDS, value: '3600'}]"
_ROW = "| `MAX_LINES` | `20` | lines of an order |\n"


def replace_example(service: Mapping[str, File]) -> Tree:
    """Return the files of a service whose team has replaced the example."""
    stack = next(one for one in STACKS if one.manifest in service)
    kept = {
        path: file
        for path, file in service.items()
        if PurePosixPath(path).name not in stack.example
    }
    registering = next(path for path in kept if PurePosixPath(path).name == stack.registering)
    code = _code_of(stack.manifest)
    main = PurePosixPath(registering).parent.as_posix()
    places = {"main": main, "test": main.replace("src/main", "src/test")}
    added = {path.format(**places): File(code) for path in stack.added}
    if any(path.startswith(stack.migrations) for path in service):
        added[stack.migrations + stack.migration] = File(b"-- CREATE TABLE orders (id uuid)\n")
    before, dependency = stack.dependency
    return {
        **kept,
        **added,
        registering: File(code),
        stack.manifest: _with(kept, stack.manifest, before, dependency + before),
        "README.md": _with(kept, "README.md", "| `OTEL_", f"{_ROW}| `OTEL_"),
        "chart/registration.yaml": _with(kept, "chart/registration.yaml", "routes:\n", _routes()),
        "chart/values.yaml": _variables(kept),
        "openapi.json": _with(kept, "openapi.json", '"info": {', '"tags": [],\n  "info": {'),
    }


def _code_of(manifest: str) -> bytes:
    comment = "#" if manifest == "pyproject.toml" else "//"
    return "".join(f"{comment} line {number} of the orders\n" for number in range(30)).encode()


def _routes() -> str:
    return f"routes:\n{_ROUTE}"


def _variables(service: Mapping[str, File]) -> File:
    text = service["chart/values.yaml"].content.decode()
    found = re.sub(r"^extraEnv: .*$", _VARIABLES, text, flags=re.MULTILINE)
    assert found != text
    return File(found.encode())


def _with(service: Mapping[str, File], path: str, old: str, new: str) -> File:
    text = service[path].content.decode()
    assert text.count(old) >= 1, (path, old)
    return File(text.replace(old, new, 1).encode())
