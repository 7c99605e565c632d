"""What a caller relies on: a callee that no longer keeps it is named before both run."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svcgen.errors import SvcgenError
from svcgen.openapi.breaking import breaking_changes
from svcgen.render.render import render_service
from tests.support.run import svcgen
from tests.support.workspaces import inspect, make, registration, stitch

Document = dict[str, Any]
Change = Callable[[Document], object]

COPY, CALLEE = "orders/clients/catalog.openapi.json", "catalog/openapi.json"
FILES = f"{COPY} and {CALLEE}: "


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The document that a caller gets of a new callee."""
    made = render_service(tmp_path_factory.mktemp("known") / "catalog", {"name": "catalog"})
    document: Document = json.loads((made / "openapi.json").read_text())
    return document


@pytest.fixture
def shop(tmp_path: Path, known: Document) -> Path:
    make(tmp_path, "orders", calls=("catalog",))
    make(tmp_path, "catalog")
    write(tmp_path / COPY, known)
    write(tmp_path / CALLEE, known)
    return tmp_path


def write(path: Path, document: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def broken(shop: Path) -> list[str]:
    return [str(fault).removeprefix(FILES) for fault in inspect(shop).broken]


def operation(document: Document, path: str, method: str = "get") -> Document:
    found: Document = document["paths"][f"/v1/catalog{path}"][method]
    return found


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def member(document: Document, name: str, member: str) -> Document:
    found: Document = schema(document, name)["properties"][member]
    return found


def rename(document: Document, before: str, after: str) -> None:
    operation(document, f"/{before}")["parameters"][0]["name"] = after.strip("{}")
    document["paths"][f"/v1/catalog/{after}"] = document["paths"].pop(f"/v1/catalog/{before}")


LIST, ONE = "GET /v1/catalog (listItems)", "GET /v1/catalog/{id} (getItem)"
NEW, SUMMARY = "POST /v1/catalog (createItem)", "GET /v1/catalog/summary (getSummary)"


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            lambda now: now["paths"].pop("/v1/catalog/summary"),
            [f"{SUMMARY}: was removed; no service has it."],
        ),
        (
            lambda now: now["paths"]["/v1/catalog"].pop("post"),
            [f"{NEW}: was removed; no service has it."],
        ),
        (
            lambda now: operation(now, "")["parameters"].pop(0),
            [f"{LIST}: parameter limit is no longer accepted."],
        ),
        (
            lambda now: operation(now, "")["parameters"][0]["schema"].update(maximum=50),
            [f"{LIST}: parameter limit: maximum is 50 now, was 100."],
        ),
        (
            lambda now: operation(now, "/summary")["parameters"][0]["schema"].update(minimum=1),
            [f"{SUMMARY}: parameter depth: minimum is 1 now, was 0."],
        ),
        (
            lambda now: operation(now, "")["parameters"][1].update(schema={"type": "string"}),
            [f"{LIST}: parameter cursor: null is no longer accepted."],
        ),
        (
            lambda now: operation(now, "")["parameters"][1].update(required=True),
            [f"{LIST}: parameter cursor is required now."],
        ),
        (
            lambda now: operation(now, "/{id}").update(
                parameters=[
                    *operation(now, "/{id}")["parameters"],
                    {"name": "as", "in": "query", "required": True, "schema": {}},
                ]
            ),
            [f"{ONE}: parameter as is required now."],
        ),
        (
            lambda now: schema(now, "NewItem")["required"].append("price"),
            [f"{NEW}: body: price is required now."],
        ),
        (
            lambda now: (
                schema(now, "NewItem")["properties"].update(
                    title=schema(now, "NewItem")["properties"].pop("name")
                )
                or schema(now, "NewItem").update(required=["title"])
            ),
            [f"{NEW}: body: title is required now.", f"{NEW}: body: name is no longer accepted."],
        ),
        (
            lambda now: member(now, "NewItem", "name").update(maxLength=20),
            [f"{NEW}: body: name maxLength is 20 now, was 200."],
        ),
        (
            lambda now: member(now, "NewItem", "name").update(enum=["first"]),
            [f'{NEW}: body: name enum is ["first"] now, was none.'],
        ),
        (
            lambda now: operation(now, "", "post").pop("requestBody"),
            [f"{NEW}: a body is no longer accepted."],
        ),
        (
            lambda now: operation(now, "").update(requestBody={"required": True}),
            [f"{LIST}: a body is required now."],
        ),
        (
            lambda now: operation(now, "", "post")["responses"].update(
                {"200": operation(now, "", "post")["responses"].pop("201")}
            ),
            [f"{NEW}: is no longer answered by 201."],
        ),
        (
            lambda now: operation(now, "/summary")["responses"]["200"].update(
                content={"text/plain": {}}
            ),
            [f"{SUMMARY}: answer 200 no longer has application/json."],
        ),
        (
            lambda now: (
                schema(now, "Summary")["properties"].pop("items")
                and schema(now, "Summary")["required"].remove("items")
            ),
            [f"{SUMMARY}: answer 200: items was removed."],
        ),
        (
            lambda now: schema(now, "Summary")["required"].remove("items"),
            [f"{SUMMARY}: answer 200: items may be missing now."],
        ),
        (
            lambda now: member(now, "Summary", "items").update(type="number"),
            [f"{SUMMARY}: answer 200: items may be number now."],
        ),
        (
            lambda now: member(now, "Summary", "service").pop("type"),
            [f"{SUMMARY}: answer 200: service may be anything now."],
        ),
        (
            lambda now: member(now, "ItemPage", "items").update(items={"type": "string"}),
            [f"{LIST}: answer 200: items[] may be string now."],
        ),
        (
            lambda now: member(now, "Item", "id").pop("format"),
            [
                f"{LIST}: answer 200: items[].id format is none now, was uuid.",
                f"{NEW}: answer 201: id format is none now, was uuid.",
                f"{ONE}: answer 200: id format is none now, was uuid.",
            ],
        ),
        (
            lambda now: member(now, "Problem", "status").update(nullable=True),
            [
                f"{each}: answer {status}: status may be null now."
                for each in (LIST, NEW, SUMMARY, ONE)
                for status in ("4XX", "5XX")
            ],
        ),
    ],
)
def test_what_a_caller_relies_on_and_is_not_kept_is_named(
    shop: Path, known: Document, change: Change, faults: list[str]
) -> None:
    now = deepcopy(known)
    change(now)
    write(shop / CALLEE, now)
    registration(shop / "catalog", routes={})
    assert broken(shop) == faults


@pytest.mark.parametrize(
    "change",
    [
        lambda now: now["info"].update(version="2.0.0"),
        lambda now: now["paths"].update({"/v1/catalog/new": {"get": {}}}),
        lambda now: rename(now, "{id}", "{item}"),
        lambda now: operation(now, "")["parameters"].append({"name": "as", "in": "query"}),
        lambda now: operation(now, "")["parameters"][0]["schema"].update(maximum=500),
        lambda now: operation(now, "", "post").update(operationId="addItem", tags=[]),
        lambda now: schema(now, "Summary")["properties"].update(since={"type": "string"}),
        lambda now: schema(now, "Item")["properties"].update(price={"type": "integer"}),
        lambda now: schema(now, "NewItem")["properties"].update(price={"type": "integer"}),
        lambda now: member(now, "NewItem", "name").update(maxLength=500),
        lambda now: member(now, "ItemPage", "next").update(anyOf=[{"type": "string"}]),
        lambda now: member(now, "ItemPage", "next").update(anyOf=[], type=["string", "null"]),
        lambda now: operation(now, "/summary").update(
            responses={
                "default": operation(now, "/summary")["responses"].pop("200"),
                **operation(now, "/summary")["responses"],
            }
        ),
        lambda now: schema(now, "Summary").update(
            {"allOf": [{k: schema(now, "Summary").pop(k) for k in ("properties", "required")}]}
        ),
    ],
)
def test_what_only_adds_or_says_it_otherwise_breaks_nothing(
    shop: Path, known: Document, change: Change
) -> None:
    now = deepcopy(known)
    change(now)
    write(shop / CALLEE, now)
    assert broken(shop) == []


KEYWORDS = ["type", "enum", "anyOf", "allOf", "required", "properties", "minimum", "nullable"]
REFERENCES = st.sampled_from(["#/components/schemas/Summary", "#/x", "other.json", 5])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.builds(dict, **{"$ref": REFERENCES}),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYWORDS), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_two_documents_are_compared_and_none_breaks_itself(
    known: Document, data: st.DataObject
) -> None:
    one, other = deepcopy(known), deepcopy(known)
    for document in (one, other):
        holder, key = data.draw(st.sampled_from(places(document)))
        holder[key] = data.draw(JUNK)
    for _operation, problem in breaking_changes(one, other):
        assert problem
    assert list(breaking_changes(one, deepcopy(one))) == []


def places(within: Any) -> list[tuple[Any, Any]]:
    """Name each place in a document by what holds it and its key there."""
    if not isinstance(within, dict | list):
        return []
    keys = list(within) if isinstance(within, dict) else list(range(len(within)))
    return [(within, key) for key in keys] + [one for key in keys for one in places(within[key])]


def test_documents_nested_too_deeply_are_named(shop: Path, known: Document) -> None:
    deep: Document = {"type": "string"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"in": deep}}
    known = deepcopy(known)
    schema(known, "Summary")["properties"]["in"] = deep
    write(shop / CALLEE, known)
    write(shop / COPY, known)
    assert broken(shop) == ["are nested too deeply to be compared."]


def lose_the_document(shop: Path) -> None:
    registration(shop / "catalog", routes={})
    (shop / CALLEE).unlink()


def call_parts(shop: Path) -> None:
    registration(shop / "orders", calls=["catalog", "parts"])
    (shop / COPY).rename(shop / "orders/clients/parts.openapi.json")


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            lambda shop: (shop / COPY).write_text("{"),
            [
                f"{COPY}: is not an OpenAPI document;"
                " write it again with `svcgen compose --refresh`."
            ],
        ),
        (
            lose_the_document,
            [f"{CALLEE}: is missing; write it with `make generate` in that service."],
        ),
        (
            lambda shop: (shop / COPY).rename(shop / "orders/clients/parts.openapi.json"),
            [
                "orders/clients/parts.openapi.json and orders/chart/registration.yaml: disagree:"
                ' there is a copy, but `calls` does not name "parts".'
            ],
        ),
        (call_parts, []),  # the callee is not checked out
        (lambda shop: (shop / COPY).unlink(), []),
    ],
)
def test_documents_that_are_not_there(
    shop: Path, change: Callable[[Path], object], faults: list[str]
) -> None:
    change(shop)
    assert broken(shop) == faults


def test_an_operation_that_moved_is_found_elsewhere(shop: Path, known: Document) -> None:
    moved = {path: known["paths"][path] for path in ("/v1/catalog/summary",)}
    rest = {path: item for path, item in known["paths"].items() if path not in moved}
    write(shop / CALLEE, {**known, "paths": rest})
    make(shop, "parts")
    write(shop / "parts/openapi.json", {**known, "paths": moved})
    registration(shop / "parts", routes={})
    assert broken(shop) == [f"{SUMMARY}: was removed; parts has it."]


def test_check_names_all_at_once_and_exits_with_3(shop: Path, known: Document) -> None:
    write(shop / CALLEE, {**known, "paths": {"/v1/catalog": known["paths"]["/v1/catalog"]}})
    paths = {"orders": "/v1/orders", "lost": "/lost/here"}
    routes = {name: {"path": path, "auth": "none"} for name, path in paths.items()}
    registration(shop / "orders", routes=routes)
    done = svcgen("compose", "--check", within=shop)
    assert done.returncode == 3
    assert done.stderr == (
        "3 faults:\n"
        "  orders/chart/registration.yaml and orders/openapi.json: routes.lost: no operation for"
        " any method of /lost/here; `make generate` writes openapi.json again.\n"
        f"  {FILES}{SUMMARY}: was removed; no service has it.\n"
        f"  {FILES}{ONE}: was removed; no service has it.\n"
        "Fix the callee, or accept its API: svcgen compose --refresh\n"
    )
    said = json.loads(svcgen("compose", "--check", "--json", within=shop).stdout)
    assert said["broken"][0]["files"] == [COPY, CALLEE]
    assert len(said["faults"]) == 1


def test_without_check_a_broken_contract_is_said_and_hinders_nothing(
    shop: Path, known: Document
) -> None:
    write(shop / CALLEE, {**known, "paths": {"/v1/catalog": known["paths"]["/v1/catalog"]}})
    done = svcgen("compose", within=shop)
    assert done.returncode == 0
    assert "wrote compose.yaml" in done.stdout
    assert f"{ONE}: was removed" in done.stderr


def test_refresh_takes_the_callees_document_over(shop: Path, known: Document) -> None:
    document = json.dumps(known, indent=3)
    (shop / CALLEE).write_text(document)
    (shop / COPY).unlink()
    done = stitch(shop, refresh=True)
    assert COPY in done.written
    assert done.refreshed == ("orders",)
    assert (shop / COPY).read_text() == document
    assert stitch(shop, refresh=True).written == ()


def test_refresh_says_what_to_do_next(shop: Path, known: Document) -> None:
    (shop / COPY).write_text("{}")
    done = svcgen("compose", "--refresh", within=shop)
    assert f"wrote {COPY}" in done.stdout
    assert done.stdout.endswith("Next: make generate, in orders\n")
    assert json.loads((shop / COPY).read_text()) == known


def test_refresh_writes_nothing_when_a_callee_has_no_document(shop: Path) -> None:
    registration(shop / "catalog", routes={})
    before = (shop / COPY).read_text()
    (shop / CALLEE).write_text("[]")
    with pytest.raises(SvcgenError, match="is not an OpenAPI document"):
        stitch(shop, refresh=True)
    assert (shop / COPY).read_text() == before
    assert not (shop / "compose.yaml").exists()


def test_refresh_and_check_exclude_each_other(shop: Path) -> None:
    assert svcgen("compose", "--refresh", "--check", within=shop).returncode == 2


@pytest.mark.parametrize(
    ("uses", "faults"),
    [
        ("[getItem]", []),
        ("['GET /v1/catalog/{id}', getSummary]", []),
        ("[getItem, createItem]", [f"{NEW}: body: colour is required now."]),
    ],
)
def test_only_the_operations_that_a_caller_uses_count(
    shop: Path, known: Document, uses: str, faults: list[str]
) -> None:
    changed = deepcopy(known)
    schema(changed, "NewItem")["properties"]["colour"] = {"type": "string"}
    schema(changed, "NewItem")["required"].append("colour")
    write(shop / CALLEE, changed)
    assert broken(shop)
    declare(shop, f"{{catalog: {uses}}}")
    assert broken(shop) == faults


def test_an_operation_that_the_copy_does_not_have_is_named(shop: Path) -> None:
    declare(shop, "{catalog: [getThing]}")
    (fault,) = broken(shop)
    assert '`uses` has "getThing"' in fault
    assert "getItem" in fault


@pytest.mark.parametrize(
    ("uses", "reason"),
    [
        ("{stock: [getItem]}", "which `calls` does not name"),
        ("{catalog: []}", "uses.catalog"),
        ("{catalog: [get /v1/catalog]}", "must be an operationId, or a method and a path"),
    ],
)
def test_a_wrong_declaration_of_what_is_used_is_refused(shop: Path, uses: str, reason: str) -> None:
    declare(shop, uses)
    done = svcgen("compose", "--check", within=shop)
    assert done.returncode in {1, 3}
    assert reason in done.stdout + done.stderr


def declare(shop: Path, uses: str) -> None:
    with (shop / "orders/chart/registration.yaml").open("a") as file:
        file.write(f"\nuses: {uses}\n")
