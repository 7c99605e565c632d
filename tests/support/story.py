"""The story of a team: an order service of an old release, whose example the team replaces.

`tests/data/story/STACK` has what the team writes: a tree that is copied over the service. Beside it
are REMOVED (the files of the example, a pattern a line), DEPENDENCY (a package, or the lines of
Maven) and MIGRATION (the text of the migration; without it, `make migration` writes it).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from svcgen.ports import free_port
from svcgen.templates.sources import open_source
from tests.support.checkout import NOBODY, Checkout, environment_of, until
from tests.support.fleet.evolution import DELETED, copy_template, evolve
from tests.support.fleet.repository import write_repository
from tests.support.repository import REPOSITORY
from tests.support.run import answered, svcgen
from tests.support.templates import commit, in_git

STORY = REPOSITORY / "tests/data/story"
OLD, NOW, LATER = "v1.4.0", "v1.7.0", "v1.8.0"
OPEN_SECONDS = 3  # of an order in the fleet
PRICE = "    price_cents: int = Field(ge=0)\n"  # of a product
SETTINGS = (
    "| `MAX_LINES` | `20` | lines of an order, at most |\n"
    "| `OPEN_SECONDS` | `86400` | seconds until an open order expires |\n"
)
_NOTES = {"REMOVED", "DEPENDENCY", "MIGRATION"}
_TIMEOUT = 60.0  # seconds, on a busy machine


@dataclass(frozen=True)
class Shop:
    """A workspace in git: products, and the orders of one stack."""

    root: Path
    template: Path

    def type(self, *words: str | Path, **variables: str) -> str:
        """Run a command of svcgen, which succeeds, and return its output."""
        done = svcgen(*words, within=self.root, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def update(self, *words: str) -> list[dict[str, Any]]:
        """Update orders and return the files of each path that changed."""
        done = svcgen("update", "orders", *words, "--json", within=self.root)
        (updated,) = answered(done)["services"]
        assert (updated["state"], updated["conflicts"]) == ("updated", [])
        files: list[dict[str, Any]] = updated["files"]
        return files

    def commit(self, message: str) -> None:
        commit(self.root, message)


def write_template(root: Path) -> Path:
    """Write a template with three releases: an old one, this checkout, and a later one."""
    now, later = root / NOW, root / LATER
    copy_template(now)
    shutil.copytree(now, later)
    for step in ("v1.1.0", "v1.2.0"):  # edits, dependencies, a file renamed, a question
        evolve(later, step)
    (later / "template" / DELETED).unlink()
    old = open_source().obtain(OLD).folder
    return write_repository(root / "template", {OLD: old, NOW: now, LATER: later})


def open_shop(root: Path, template: Path) -> Shop:
    """Begin a workspace with products, which have a price."""
    shop = Shop(root, template)
    root.mkdir()
    settings = {"environment": {"orders": {"OPEN_SECONDS": str(OPEN_SECONDS)}}}
    (root / "svcgen.yaml").write_text(json.dumps(settings))
    shop.type("new", "products", "--stack", "python", "--database", "none", "--yes")
    products = root / "products"
    _replace(products / "src/app/models.py", "    name: str", f"{PRICE}    name: str")
    _replace(products / "src/app/items.py", "Item(name=new.name,", "Item(**new.model_dump(),")
    Checkout(products, _environment("python"), {}).succeed("generate")
    in_git(root)
    return shop


def update_orders(shop: Shop, stack: str) -> None:
    """Make the service by the old release, and update it to the template of this checkout."""
    words = ("new", "orders", "--stack", stack, "--database", "postgres", "--calls", "products")
    shop.type(*words, "--template", shop.template, "--ref", OLD, "--yes")
    shop.commit("Begin orders")
    shop.update("--ref", NOW)
    shop.commit("Update orders")


def write_orders(shop: Shop, stack: str, database: str) -> Checkout:
    """Replace the example by orders, as a team does from the pages of docs/."""
    folder = shop.root / "orders"
    environment = _environment(stack, DATABASE_URL=database, PRODUCTS_URL=NOBODY)
    orders = Checkout(folder, environment, {})
    shop.type("compose", "--refresh")
    for pattern in (STORY / stack / "REMOVED").read_text().split():
        for path in _found(folder, pattern):
            path.unlink()
    _add_dependency(orders, (STORY / stack / "DEPENDENCY").read_text())
    for path in _files(STORY / stack):
        target = _target(folder, path.relative_to(STORY / stack))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(STORY / "registration.yaml", folder / "chart")
    _replace(folder / "README.md", "| `OTEL_EXPORTER", f"{SETTINGS}| `OTEL_EXPORTER")
    if stack in {"go", "java"}:
        shutil.copy(STORY / "openapi.json", folder)
    orders.succeed("generate")
    _migrate(orders, STORY / stack / "MIGRATION")
    shop.type("compose")
    shop.commit("Take orders")
    return orders


def _environment(stack: str, **variables: str) -> dict[str, str]:
    """Return the environment of a stack's targets, with uv, as the local engine has it."""
    environment = environment_of(stack, **variables)
    return {**environment, "PATH": f"{environment['PATH']}:{Path(sys.executable).parent}"}


def _migrate(orders: Checkout, text: Path) -> None:
    """Begin a migration and, unless the stack writes it, fill it in."""
    if not text.exists():
        orders.succeed("migrate")
    begun = orders.succeed("migration", "NAME=orders").strip()
    if text.exists():
        shutil.copy(text, orders.folder / begun)


def _add_dependency(orders: Checkout, text: str) -> None:
    if text.lstrip().startswith("<"):
        _replace(orders.folder / "pom.xml", "  </dependencies>\n", f"{text}  </dependencies>\n")
    else:
        orders.succeed("add", f"NAME={text.strip()}")


def _found(folder: Path, pattern: str) -> list[Path]:
    found = list(folder.glob(pattern))
    assert found, f"the example has no {pattern}"
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _NOTES:
            yield path


def _target(folder: Path, path: Path) -> Path:
    """Return the place of a file; Java's `main/` and `test/` are the folders of the package."""
    top, *rest = path.parts
    if top not in {"main", "test"} or not (folder / "pom.xml").exists():
        return folder / path
    package = next((folder / "src" / top / "java").rglob("*.java")).parent
    return package.joinpath(*rest)


def _replace(path: Path, old: str, new: str) -> None:
    """Replace a text that the file has once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def described(document: Path) -> dict[str, object]:
    """Return the operations of an OpenAPI document, and the members of each schema."""
    read = json.loads(document.read_text(encoding="utf-8"))
    operations = {
        f"{method} {path}": operation["operationId"]
        for path, methods in read["paths"].items()
        for method, operation in methods.items()
    }
    schemas = read["components"]["schemas"].items()
    members = {
        name: (sorted(one["properties"]), sorted(one["required"]))
        for name, one in schemas
        if "properties" in one
    }
    return {"operations": operations, "members": members}


def serve(shop: Shop, engine: str, ask: Callable[[httpx.Client], object]) -> None:
    """Start the fleet, send requests through its gateway, and remove the fleet."""
    port = free_port()
    try:
        shop.type("up", "--engine", engine, "--port", str(port))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            ask(http)
    finally:
        shop.type("down", "--volumes")


def ask_for_orders(http: httpx.Client) -> None:
    """Check each rule of orders by requests."""
    product = http.post("/v1/products", json={"name": "tea", "price_cents": 450}).json()["id"]
    line = {"product_id": product, "quantity": 2, "price_cents": 450}
    created = http.post("/v1/orders", json={"lines": [line]})
    assert created.status_code == 201, created.text
    order = created.json()
    assert created.headers["location"] == f"/v1/orders/{order['id']}"
    assert (order["status"], order["lines"], order["total_cents"]) == ("open", [line], 900)
    for lines, pointer in (
        ([line | {"product_id": str(uuid4())}], "#/lines/0/product_id"),
        ([line, line | {"price_cents": 1}], "#/lines/1/price_cents"),
        ([line] * 21, "#/lines"),
        ([], "#/lines"),
    ):
        refused = http.post("/v1/orders", json={"lines": lines})
        assert (refused.status_code, _pointers(refused)) == (422, [pointer])
    paid = _pay(http, {"lines": [line]})
    assert http.get(f"/v1/orders/{paid}").json()["status"] == "paid"
    until(lambda: _status(http, order["id"]) == "expired", _TIMEOUT)
    for other in (paid, order["id"]):
        assert http.put(f"/v1/orders/{other}/status", json={"status": "paid"}).status_code == 409
    assert http.get(f"/v1/orders/{uuid4()}").status_code == 404
    assert paid in _ids(http, status="paid")
    assert _ids(http, status="expired")[-1] == order["id"]
    assert _ids(http)[-1] == order["id"]
    assert http.get("/v1/orders", params={"status": "lost"}).status_code == 422


def _pay(http: httpx.Client, new: Mapping[str, object]) -> str:
    """Create an order and pay it at once; on a busy machine, one can expire in between."""
    taken: list[str] = []

    def paid() -> bool:
        taken.append(http.post("/v1/orders", json=new).json()["id"])
        put = http.put(f"/v1/orders/{taken[-1]}/status", json={"status": "paid"})
        return put.status_code == 200 and put.json()["status"] == "paid"

    until(paid, _TIMEOUT)
    return taken[-1]


def _pointers(response: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in response.json()["errors"]]


def _status(http: httpx.Client, order: str) -> str:
    return str(http.get(f"/v1/orders/{order}").json()["status"])


def _ids(http: httpx.Client, **query: str) -> list[str]:
    listed = http.get("/v1/orders", params=query).json()["orders"]
    return [order["id"] for order in listed]
