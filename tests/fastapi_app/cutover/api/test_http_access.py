"""The cutover's HTTP API: nobody comes in without the token."""

from typing import Any

import pytest

from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.wire import ErrorAnswer
from tests.fastapi_app.cutover.api.bench import STATUS, TOKEN, Client, Desk, on, read


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN.upper()}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer ü".encode("latin-1")},
        {"cookie": f"token={TOKEN}"},
    ],
    ids=str,
)
async def test_without_the_token_and_with_a_wrong_one_the_answer_is_the_same(
    store: MemoryCutoverStore, given: dict[str, Any]
) -> None:
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        response = await http.get("/cutover/endpoints", headers=given)
    assert read(response, ErrorAnswer, 401) == {"error": 'Authorization: expected: "Bearer " and the admin token'}
    assert response.headers["www-authenticate"] == 'Bearer realm="cutover"'


async def test_the_scheme_s_case_doesn_t_count(client: Client) -> None:
    response = await client.http.get("/cutover/health", headers={"authorization": f"bearer {TOKEN}"})
    assert response.status_code == 200


async def test_every_documented_operation_needs_the_token(store: MemoryCutoverStore, document: Any) -> None:
    operations = [(method, path) for path, methods in document["paths"].items() for method in methods]
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        statuses = {(method, path): (await http.request(method, path)).status_code for method, path in operations}
    assert len(operations) == 8
    assert set(statuses.values()) == {401}


async def test_nothing_changes_without_the_token(store: MemoryCutoverStore) -> None:
    counts = {CountKey(STATUS.name, "shadow", "match", ""): 1}
    store.add_evidence(counts, [])
    before = store.table()
    async with on(admin_app(Desk(store), token=TOKEN), token="wrong") as http:
        await http.put(
            "/cutover/modes", json={"changes": {STATUS.name: {"mode": "native"}}, "author": "a", "reason": "r"}
        )
        await http.post("/cutover/forget", json={"endpoints": "all", "author": "a", "reason": "r"})
    assert store.table() == before
    assert store.counts() == counts
