"""The example resource: items, pages, the summary."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from svcgen.contract.check import Check
from svcgen.contract.checks.calls import summarize
from svcgen.contract.checks.problems import problem
from svcgen.contract.context import CheckContext, marker
from svcgen.contract.expect import expect
from svcgen.contract.http import Response, ask, get, post

PAGED = 101  # one more than the largest page
SHIFT = 300  # seconds of difference between the service's clock and this one
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def made(context: CheckContext, name: str) -> Response:
    """Create an item."""
    answer = post(context.address, context.path, {"name": name})
    expect(answer.status == 201, f"POST {context.path} is {answer.status}: {answer.body[:200]!r}")
    return answer


def create(context: CheckContext) -> None:
    answer = made(context, "first")
    item, location = answer.json(), answer.headers.get("Location", "")
    expect(location == f"{context.path}/{item.get('id')}", f"Location is {location!r}")
    again = get(context.address, location)
    expect((again.status, again.json()) == (200, item), f"GET {location} is {again.body[:200]!r}")


def item_shape(context: CheckContext) -> None:
    answer = made(context, "shape")
    item = answer.json()
    expect(answer.kind == "application/json", f"the type is {answer.kind}")
    expect(set(item) == {"id", "name", "created_at"}, f"the item is {item}")
    expect(str(uuid.UUID(item["id"])) == item["id"], f"id is {item['id']}")
    expect(TIME.fullmatch(item["created_at"]), f"created_at is {item['created_at']}")
    made_at = datetime.fromisoformat(item["created_at"][:19]).replace(tzinfo=UTC)
    expect(abs(made_at.timestamp() - time.time()) < SHIFT, f"created_at is {item['created_at']}")


def item_text(context: CheckContext) -> None:
    for name in ("ένα два 三", "🦊 👩‍🚀", "\u202eright to left", "'; DROP TABLE x; --", "ß" * 200):
        item = made(context, name).json()
        expect(item["name"] == name, f"{name!r} became {item['name']!r}")
        stored = get(context.address, f"{context.path}/{item['id']}").json()
        expect(stored["name"] == name, f"{name!r} is kept as {stored['name']!r}")
    for name in ("nul\x00", "bell\x07", "line\nfeed", "delete\x7f"):
        problem(post(context.address, context.path, {"name": name}), 422)
    half = ask(context.address, "POST", context.path, b'{"name": "\\ud800"}')
    problem(half, 400 if half.status == 400 else 422)


def item_unknown(context: CheckContext) -> None:
    problem(get(context.address, f"{context.path}/{uuid.uuid4()}"), 404)


def item_malformed(context: CheckContext) -> None:
    for wrong in ("17", "not-a-uuid", f"{uuid.uuid4()}0"):
        expect_invalid(get(context.address, f"{context.path}/{wrong}"), "id")


def page(context: CheckContext, query: str = "") -> Any:
    """Get one page."""
    answer = get(context.address, f"{context.path}{query}")
    expect(answer.status == 200, f"GET {context.path}{query} is {answer.status}")
    value = answer.json()
    expect(set(value) == {"items", "next"}, f"a page holds {sorted(value)}")
    return value


def fill_pages(context: CheckContext) -> int:
    """Create more items than one page holds; return their number."""
    for number in range(PAGED):
        made(context, f"item {number}")
    return PAGED


def list_default(context: CheckContext) -> None:
    context.cached(fill_pages)
    first = page(context)
    expect(len(first["items"]) == 20, f"{len(first['items'])} items, not 20")
    expect(isinstance(first["next"], str), f"next is {first['next']!r}")


def list_pages(context: CheckContext) -> None:
    context.cached(fill_pages)
    late_id, seen, times, cursor = "", [], [], ""
    while cursor is not None:
        query = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
        current = page(context, query)
        expect(len(current["items"]) == 100 or current["next"] is None, "a page is not full")
        seen += [item["id"] for item in current["items"]]
        times += [datetime.fromisoformat(item["created_at"]) for item in current["items"]]
        late_id = late_id or made(context, marker()).json()["id"]
        cursor = current["next"]
    expect(len(seen) == len(set(seen)), "an item is on two pages")
    expect(times == sorted(times) and seen[-1] == late_id, "the items are not oldest first")
    held = own_summary(context)["items"]
    expect(len(seen) == held, f"{len(seen)} items on all pages, {held} in the summary")


def list_limits(context: CheckContext) -> None:
    context.cached(fill_pages)
    for limit in (1, 100):
        got = len(page(context, f"?limit={limit}")["items"])
        expect(got == limit, f"limit={limit} gives {got} items")
    for wrong in ("0", "101", "-1", "ten", "1.5"):
        expect_invalid(get(context.address, f"{context.path}?limit={wrong}"), "limit")
    for wrong in ("nonsense", "AAAA", "%00", "9" * 400):
        expect_invalid(get(context.address, f"{context.path}?cursor={wrong}"), "cursor")


def own_summary(context: CheckContext) -> Any:
    """Get the summary without calling other services."""
    answer = summarize(context, 0)
    expect(answer.status == 200, f"GET {context.path}/summary is {answer.status}")
    return answer.json()


def summary(context: CheckContext) -> None:
    before = own_summary(context)
    made(context, "counted")
    after = own_summary(context)
    expect(set(after) == {"service", "items", "calls"}, f"the summary is {after}")
    expect(after["service"] == context.service.name, f"service is {after['service']!r}")
    expect(after["items"] == before["items"] + 1, f"{before['items']} items, then {after['items']}")
    expect(set(after["calls"]) == set(context.service.calls), f"calls are {after['calls']}")


def summary_depth(context: CheckContext) -> None:
    for depth in ("0", "8"):
        answer = get(context.address, f"{context.path}/summary?depth={depth}")
        expect(answer.status == 200, f"depth={depth} is {answer.status}")
    for depth in ("-1", "9", "deep"):
        expect_invalid(get(context.address, f"{context.path}/summary?depth={depth}"), "depth")


def expect_invalid(answer: Response, parameter: str) -> None:
    """Expect a 422 that names a parameter."""
    errors = problem(answer, 422).get("errors", [])
    named = [error.get("parameter") for error in errors]
    expect(parameter in named, f"errors do not name {parameter}: {errors}")


CHECKS = (
    Check("create", "POST is 201 with a Location that GETs the item back", create),
    Check("item-shape", "id is a UUID, created_at a time in UTC", item_shape),
    Check("item-text", "any text comes back as it was sent; control characters are 422", item_text),
    Check("item-unknown", "an unknown id is 404", item_unknown),
    Check("item-malformed", "an id that is not a UUID is 422", item_malformed),
    Check("list-default", "a page has 20 items and a cursor to the next", list_default),
    Check("list-pages", "all pages together have each item once, oldest first", list_pages),
    Check("list-limits", "limit 1 to 100 and a cursor of the service, else 422", list_limits),
    Check("summary", "the summary counts items and names the callees", summary),
    Check("summary-depth", "depth 0 to 8, else 422", summary_depth),
)
