"""The example resource, tested over HTTP."""

import json
from uuid import uuid4

import pytest
from running import Service

from app.items import PATH


def create(service: Service, name: str) -> str:
    response = service.http.post(PATH, json={"name": name})
    assert response.status_code == 201
    return response.headers["Location"]


def test_a_created_item_is_found(service: Service) -> None:
    item = service.http.get(create(service, "Grüße 👋")).json()
    assert item["name"] == "Grüße 👋"
    assert item["created_at"].endswith("Z")


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("DELETE", 405)])
def test_the_allowed_methods_are_listed(service: Service, method: str, status: int) -> None:
    response = service.http.request(method, PATH)
    assert response.status_code == status
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_an_unknown_id_is_not_found(service: Service) -> None:
    assert service.http.get(f"{PATH}/{uuid4()}").status_code == 404


def test_pages_contain_each_item_once(service: Service) -> None:
    created = [create(service, f"item {number}").rpartition("/")[2] for number in range(5)]
    seen, cursor = [], None
    while True:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = service.http.get(PATH, params=parameters).json()
        seen += [item["id"] for item in page["items"]]
        if not (cursor := page["next"]):
            break
    assert seen[-5:] == created
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?cursor=nonsense", "cursor"),
        (f"?cursor={uuid4()}", "cursor"),
        ("/nonsense", "id"),
        (f"/{uuid4().hex}", "id"),
        ("/summary?depth=9", "depth"),
    ],
)
def test_an_invalid_parameter_is_named(service: Service, query: str, parameter: str) -> None:
    response = service.http.get(PATH + query)
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"name": "', 400),
        ('{"name": ""}', 422),
        (json.dumps({"name": "x" * 201}), 422),
        ('{"name": "\\u0000"}', 422),
        ('{"name": "x", "nmae": "y"}', 422),
        (json.dumps({"name": "x" * (1 << 20)}), 413),
    ],
)
def test_an_invalid_body_is_rejected(service: Service, body: str, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    response = service.http.post(PATH, content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_summary_counts_items(service: Service) -> None:
    create(service, "one more")
    summary = service.http.get(f"{PATH}/summary?depth=0").json()
    assert summary["items"] > 0
    assert set(summary["calls"].values()) <= {None}
