"""The example resource, as a client sees it."""

import json
from uuid import uuid4

import pytest
from running import Service

from app.items import PATH


def create(service: Service, name: str) -> str:
    answer = service.http.post(PATH, json={"name": name})
    assert answer.status_code == 201
    return answer.headers["Location"]


def test_what_was_created_is_found(service: Service) -> None:
    item = service.http.get(create(service, "Grüße 👋")).json()
    assert item["name"] == "Grüße 👋"
    assert item["created_at"].endswith("Z")


def test_what_was_never_created_is_not_found(service: Service) -> None:
    assert service.http.get(f"{PATH}/{uuid4()}").status_code == 404


def test_pages_hold_each_item_once(service: Service) -> None:
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
def test_a_wrong_parameter_is_named(service: Service, query: str, parameter: str) -> None:
    answer = service.http.get(PATH + query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


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
def test_a_wrong_body_is_refused(service: Service, body: str, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = service.http.post(PATH, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_summary_counts(service: Service) -> None:
    create(service, "one more")
    summary = service.http.get(f"{PATH}/summary?depth=0").json()
    assert summary["items"] > 0
    assert set(summary["calls"].values()) <= {None}
