"""The cutover's HTTP API: requests that are wrong, and a store that fails."""

import json
import threading
from typing import Any, cast

import pytest

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.store.base import CutoverStore
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.errors import StoreUnavailable
from shared.wire import ErrorAnswer
from tests.fastapi_app.cutover.api.bench import ONE, STATUS, TOKEN, Client, Desk, a_mismatch, on, read


@pytest.mark.parametrize("path", ["/cutover/log", "/cutover/mismatches", "/cutover/endpoint"])
@pytest.mark.parametrize("limit", ["0", "501", "-1", "all", "", "9" * 5_000])
async def test_a_limit_is_from_1_to_500(client: Client, path: str, limit: str) -> None:
    name = {"name": STATUS.name} if path == "/cutover/endpoint" else {}
    told = await client.get(path, ErrorAnswer, 400, limit=limit, **name)
    assert told == {"error": f"limit: {json.dumps(limit)[:80]} is not a whole number from 1 to 500"}


@pytest.mark.parametrize("path", ["/cutover/log", "/cutover/mismatches"])
async def test_the_largest_limit_is_taken(client: Client, path: str) -> None:
    assert (await client.http.get(path, params={"limit": "500"})).status_code == 200


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "/cutover/log?limt=5",
            'limt: "5" is not expected: the known fields are endpoint, limit',
        ),
        (
            "/cutover/endpoint",
            "name: missing is not an endpoint's name, its method and rule, such as GET /api/trading-window/can-trade",
        ),
        ("/cutover/mismatches?" + "&" * 1000, f'query: "{"&" * 79} is not a query of at most 1000 parameters'),
    ],
)
async def test_a_query_that_breaks_a_rule_is_refused(client: Client, path: str, sentence: str) -> None:
    assert read(await client.http.get(path), ErrorAnswer, 400) == {"error": sentence}


async def test_the_first_value_of_a_parameter_counts(client: Client, store: MemoryCutoverStore) -> None:
    store.add_evidence({}, [a_mismatch(), a_mismatch()])
    told = read(await client.http.get("/cutover/mismatches?limit=1&limit=2"), wire.MismatchesAnswer, 200)
    assert len(told["mismatches"]) == 1


async def test_an_endpoint_that_isn_t_there(client: Client) -> None:
    assert await client.get("/cutover/endpoint", ErrorAnswer, 404, name="GET /none") == {
        "error": "no endpoint is named 'GET /none'"
    }


@pytest.mark.parametrize("mismatch_id", ["0", "1", "-1", "abc", "1.0", "²", "9" * 18, "9" * 19, "9" * 5_000])
async def test_a_mismatch_that_isn_t_there(client: Client, mismatch_id: str) -> None:
    assert await client.get(f"/cutover/mismatches/{mismatch_id}", ErrorAnswer, 404) == {
        "error": f"no mismatch has the id '{mismatch_id[:80]}', or it is no longer kept"
    }


@pytest.mark.parametrize("path", ["/cutover", "/cutover/", "/cutover/endpoints/", "/cutover/none", "/docs", "/"])
async def test_a_path_that_isn_t_there(client: Client, path: str) -> None:
    assert await client.get(path, ErrorAnswer, 404) == {
        "error": "nothing is at this path; /cutover/docs shows what there is"
    }


async def test_a_method_that_a_path_doesn_t_take(client: Client) -> None:
    response = await client.http.post("/cutover/modes")
    assert read(response, ErrorAnswer, 405) == {"error": "this path doesn't take POST"}
    assert response.headers["allow"] == "PUT"


# A store that fails


class FailingStore:
    """Every call of it fails so; it notes the threads that call."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.threads: set[str] = set()

    def __getattr__(self, _name: str) -> Any:
        def fail(*_given: Any, **_named: Any) -> None:
            self.threads.add(threading.current_thread().name)
            raise self.error

        return fail


@pytest.mark.parametrize(
    "path",
    [
        "/cutover/endpoints",
        "/cutover/endpoint?name=GET+/api/status",
        "/cutover/log",
        "/cutover/mismatches",
        "/cutover/mismatches/1",
    ],
)
async def test_a_store_that_can_t_answer_is_a_503_and_read_in_the_control_s_threads(path: str) -> None:
    store = FailingStore(StoreUnavailable("it is locked"))
    async with on(admin_app(Desk(cast("CutoverStore", store)), token=TOKEN)) as http:
        told = read(await http.get(path), ErrorAnswer, 503)
    assert told == {"error": "the store can't answer: it is locked"}
    assert store.threads == {"desk_0"}


async def test_a_change_that_can_t_be_written_is_a_503() -> None:
    store = FailingStore(StoreUnavailable("it is locked"))
    async with on(admin_app(Desk(cast("CutoverStore", store)), token=TOKEN)) as http:
        response = await http.put("/cutover/modes", json={"changes": ONE, "author": "ann", "reason": "why"})
    assert read(response, ErrorAnswer, 503) == {"error": "the store can't answer: it is locked"}


async def test_what_can_t_be_forgotten_for_want_of_the_store_is_a_503() -> None:
    store = FailingStore(StoreUnavailable("it is locked"))
    async with on(admin_app(Desk(cast("CutoverStore", store)), token=TOKEN)) as http:
        response = await http.post("/cutover/forget", json={"endpoints": "all", "author": "ann", "reason": "why"})
    assert read(response, ErrorAnswer, 503) == {"error": "the store can't answer: it is locked"}
    assert store.threads == {"desk_0"}


async def test_a_fault_shows_nothing_of_itself() -> None:
    store = FailingStore(RuntimeError("a secret"))
    async with on(admin_app(Desk(cast("CutoverStore", store)), token=TOKEN)) as http:
        response = await http.get("/cutover/log")
    assert read(response, ErrorAnswer, 500) == {"error": "internal server error"}
