"""Orders, tested over HTTP, with products that this test serves."""

import json
import tempfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from running import Service, started

from app.orders import PATH

TEA = UUID("0f0e8d5e-0000-4000-8000-000000000001")
BROKEN = UUID("0f0e8d5e-0000-4000-8000-000000000002")
CREATED = "2026-11-28T12:00:00Z"
LINE = {"product_id": str(TEA), "quantity": 2, "price_cents": 450}


class Products(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        product = self.path.rpartition("/")[2]
        status = {str(TEA): 200, str(BROKEN): 500}.get(product, 404)
        item = {"id": product, "name": "tea", "price_cents": 450, "created_at": CREATED}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(item).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def products() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Products) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def shop(environment: dict[str, str], products: str) -> Iterator[Service]:
    variables = {**environment, "PRODUCTS_URL": products, "MAX_LINES": "3"}
    with tempfile.NamedTemporaryFile() as log, started(variables, log) as running:
        yield running


def create(shop: Service, **members: object) -> dict[str, Any]:
    response = shop.http.post(PATH, json={"lines": [LINE | members]})
    assert response.status_code == 201
    order: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"{PATH}/{order['id']}"
    return order


def test_a_created_order_is_found(shop: Service) -> None:
    order = create(shop, quantity=3)
    assert (order["status"], order["total_cents"]) == ("open", 1350)
    assert shop.http.get(f"{PATH}/{order['id']}").json() == order
    assert shop.http.get(f"{PATH}/{uuid4()}").status_code == 404


def test_only_an_open_order_is_paid(shop: Service) -> None:
    order = create(shop)
    url = f"{PATH}/{order['id']}/status"
    assert shop.http.put(url, json={"status": "paid"}).json() == order | {"status": "paid"}
    assert shop.http.put(url, json={"status": "paid"}).status_code == 409
    assert shop.http.put(url, json={"status": "open"}).status_code == 422
    unknown = shop.http.put(f"{PATH}/{uuid4()}/status", json={"status": "paid"})
    assert unknown.status_code == 404


def test_orders_are_listed_by_status_the_newest_first(shop: Service) -> None:
    first, second = create(shop), create(shop)
    listed = shop.http.get(PATH, params={"status": "open"}).json()["orders"]
    assert listed[:2] == [second, first]
    assert first not in shop.http.get(PATH, params={"status": "paid"}).json()["orders"]
    assert shop.http.get(PATH, params={"status": "lost"}).status_code == 422


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([], "#/lines"),
        ([LINE] * 4, "#/lines"),
        ([LINE | {"quantity": 0}], "#/lines/0/quantity"),
        ([LINE | {"product_id": str(uuid4())}], "#/lines/0/product_id"),
        ([LINE, LINE | {"price_cents": 1}], "#/lines/1/price_cents"),
    ],
)
def test_an_invalid_order_is_rejected(shop: Service, lines: list[Any], pointer: str) -> None:
    response = shop.http.post(PATH, json={"lines": lines})
    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]


def test_a_failure_of_products_is_a_502(shop: Service) -> None:
    response = shop.http.post(PATH, json={"lines": [LINE | {"product_id": str(BROKEN)}]})
    assert response.status_code == 502


def test_open_orders_expire(environment: dict[str, str], products: str, shop: Service) -> None:
    order = create(shop)
    variables = {**environment, "PRODUCTS_URL": products, "OPEN_SECONDS": "1"}
    with tempfile.NamedTemporaryFile() as log, started(variables, log) as expiring:
        for _ in range(100):
            if expiring.http.get(f"{PATH}/{order['id']}").json()["status"] == "expired":
                return
            time.sleep(0.1)
    raise AssertionError("the order is still open")
