"""The cutover's HTTP API over a store in memory; each answer is held against the model that documents it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar, cast

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import BaseModel

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.api.http import admin_app
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.inventory.endpoints import Endpoint
from fastapi_app.cutover.store.base import CountKey, CutoverStore, ModeTable
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode
from shared.wire import ErrorAnswer

TOKEN = "the-admin-token-of-this-test-and-no-other"
AT = datetime(2025, 3, 3, 12, tzinfo=UTC)

STATUS = Endpoint(method="GET", rule="/api/status", legacy=True, native=True, notes=("a note",))
ORDER = Endpoint(method="POST", rule="/api/orders/<int:order_id>", legacy=True, native=True, notes=())
OLD = Endpoint(method="GET", rule="/old", legacy=True, native=False, notes=("no native twin",))

SHADOW = EndpointMode(mode="shadow", sample_rate=0.5)


T = TypeVar("T")


class Desk:
    """The cutover, as far as the API needs it."""

    def __init__(self, store: CutoverStore) -> None:
        self.store = store

    def health(self) -> Mapping[str, Any]:
        return {"status": "degraded", "problems": ["the store can't answer"], "version": 3}

    async def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None
    ) -> ModeTable:
        return self.store.change(changes, author=author, reason=reason, at=AT, version=version)

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        with ThreadPoolExecutor(1, thread_name_prefix="desk") as own:
            return await asyncio.get_running_loop().run_in_executor(own, partial(function, *arguments, **options))


class Client:
    """A client of the API, with the token."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, model: type[BaseModel], status: int = 200, **parameters: Any) -> Any:
        return read(await self.http.get(path, params=parameters), model, status)

    async def put_modes(self, content: object, model: type[BaseModel] = wire.ModesAnswer, status: int = 200) -> Any:
        return read(await self.http.put("/cutover/modes", json=content), model, status)


def read(response: httpx.Response, model: type[BaseModel], status: int) -> Any:
    """The answer's JSON, once it is one of this model and has no field that the model lacks."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    content = response.json()
    assert json.loads(model.model_validate_json(response.content).model_dump_json()) == content
    return content


def on(app: Any, *, token: str | None = TOKEN) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://cutover.test",
        headers={} if token is None else {"authorization": f"Bearer {token}"},
    )


@pytest.fixture
def store() -> MemoryCutoverStore:
    store = MemoryCutoverStore()
    store.register([STATUS, ORDER, OLD], {STATUS.name: SHADOW}, at=AT)
    return store


@pytest.fixture
async def client(store: MemoryCutoverStore) -> AsyncIterator[Client]:
    async with on(admin_app(Desk(store), token=TOKEN)) as http:
        yield Client(http)


def a_mismatch(**changed: Any) -> Mismatch:
    told: dict[str, Any] = {
        "endpoint": ORDER.name,
        "at": AT,
        "mode": SHADOW,
        "request": SeenRequest(
            method="POST",
            path="/api/orders/7",
            query="dry=1",
            headers=(("content-type", "application/json"), ("accept", "a"), ("accept", "b")),
            body='{"price":"1.50 €"}'.encode(),
        ),
        "primary": Observation(
            side="legacy",
            answer=SeenAnswer(status=201, headers=(("content-type", "text/plain"),), body=b"done"),
            effects={"calls": [{"to": "broker"}]},
        ),
        "candidate": Observation(
            side="native",
            answer=SeenAnswer(status=500, body=b"\xff\x00"),
            effects={"calls": []},
            raised="KeyError: 'price'",
        ),
        "differences": (
            Difference(path="status", primary=201, candidate=500),
            Difference(path="effects.calls[0]", primary={"to": "broker"}, candidate_has=False),
        ),
        "recording": {"instant": "2025-03-03T12:00:00Z"},
    }
    return Mismatch(**(told | changed))


# The token


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
    assert len(operations) == 7
    assert set(statuses.values()) == {401}


async def test_nothing_changes_without_the_token(store: MemoryCutoverStore) -> None:
    before = store.table()
    async with on(admin_app(Desk(store), token=TOKEN), token="wrong") as http:
        await http.put(
            "/cutover/modes", json={"changes": {STATUS.name: {"mode": "native"}}, "author": "a", "reason": "r"}
        )
    assert store.table() == before


# Reading


async def test_the_endpoints_with_sides_modes_and_counts(client: Client, store: MemoryCutoverStore) -> None:
    store.add_evidence(
        {
            CountKey(STATUS.name, "shadow", "match", ""): 40,
            CountKey(STATUS.name, "verify", "match", ""): 2,
            CountKey(STATUS.name, "shadow", "skipped", "queue_full"): 3,
            CountKey(STATUS.name, "shadow", "skipped", "timed_out"): 4,
            CountKey(ORDER.name, "shadow", "accepted", "the server header"): 1,
            CountKey("GET /gone", "shadow", "mismatch", ""): 9,
        },
        [],
    )
    assert await client.get("/cutover/endpoints", wire.EndpointsAnswer) == {
        "version": store.version(),
        "endpoints": [
            {
                "name": "GET /api/status",
                "method": "GET",
                "rule": "/api/status",
                "sides": ["legacy", "native"],
                "mode": "shadow",
                "percent": None,
                "sample_rate": 0.5,
                "notes": ["a note"],
                "counts": {"match": 42, "mismatch": 0, "accepted": 0, "skipped": 7},
            },
            {
                "name": "POST /api/orders/<int:order_id>",
                "method": "POST",
                "rule": "/api/orders/<int:order_id>",
                "sides": ["legacy", "native"],
                "mode": "legacy",
                "percent": None,
                "sample_rate": 1.0,
                "notes": [],
                "counts": {"match": 0, "mismatch": 0, "accepted": 1, "skipped": 0},
            },
            {
                "name": "GET /old",
                "method": "GET",
                "rule": "/old",
                "sides": ["legacy"],
                "mode": "legacy",
                "percent": None,
                "sample_rate": 1.0,
                "notes": ["no native twin"],
                "counts": {"match": 0, "mismatch": 0, "accepted": 0, "skipped": 0},
            },
        ],
    }


async def test_one_endpoint_with_its_evidence(client: Client, store: MemoryCutoverStore) -> None:
    first, second = store.add_evidence(
        {
            CountKey(ORDER.name, "shadow", "skipped", "timed_out"): 4,
            CountKey(ORDER.name, "shadow", "mismatch", ""): 2,
            CountKey(STATUS.name, "shadow", "match", ""): 5,
        },
        [a_mismatch(), a_mismatch()],
    )
    store.add_evidence({}, [a_mismatch(endpoint=STATUS.name)])

    told = await client.get("/cutover/endpoint", wire.EndpointAnswer, name="POST /api/orders/<int:order_id>")

    assert (told["name"], told["mode"], told["version"]) == (ORDER.name, "legacy", store.version())
    assert told["counts"] == {"match": 0, "mismatch": 2, "accepted": 0, "skipped": 4}
    assert told["evidence"] == [
        {"mode": "shadow", "outcome": "mismatch", "reason": "", "count": 2},
        {"mode": "shadow", "outcome": "skipped", "reason": "timed_out", "count": 4},
    ]
    assert [each["id"] for each in told["mismatches"]] == [second, first]

    (newest,) = (await client.get("/cutover/endpoint", wire.EndpointAnswer, name=ORDER.name, limit=1))["mismatches"]
    assert newest["id"] == second


async def test_a_name_can_be_typed_with_a_plus(client: Client) -> None:
    response = await client.http.get("/cutover/endpoint?name=GET+/api/status")
    assert read(response, wire.EndpointAnswer, 200)["name"] == "GET /api/status"


async def test_mismatches_in_short_newest_first(client: Client, store: MemoryCutoverStore) -> None:
    (first,) = store.add_evidence({}, [a_mismatch()])
    (second,) = store.add_evidence({}, [a_mismatch(endpoint=STATUS.name)])

    told = (await client.get("/cutover/mismatches", wire.MismatchesAnswer))["mismatches"]

    assert [(each["id"], each["endpoint"]) for each in told] == [(second, STATUS.name), (first, ORDER.name)]
    assert told[1] == {
        "id": first,
        "at": "2025-03-03T12:00:00.000000Z",
        "endpoint": "POST /api/orders/<int:order_id>",
        "mode": {"mode": "shadow", "percent": None, "sample_rate": 0.5},
        "method": "POST",
        "path": "/api/orders/7",
        "query": "dry=1",
        "primary_side": "legacy",
        "primary_status": 201,
        "candidate_side": "native",
        "candidate_status": 500,
        "differs_at": ["status", "effects.calls[0]"],
    }
    (only,) = (await client.get("/cutover/mismatches", wire.MismatchesAnswer, limit=1))["mismatches"]
    assert only["id"] == second
    (only,) = (await client.get("/cutover/mismatches", wire.MismatchesAnswer, endpoint=ORDER.name))["mismatches"]
    assert only["id"] == first


async def test_a_mismatch_in_full(client: Client, store: MemoryCutoverStore) -> None:
    (mismatch_id,) = store.add_evidence({}, [a_mismatch()])
    assert await client.get(f"/cutover/mismatches/{mismatch_id}", wire.MismatchAnswer) == {
        "id": mismatch_id,
        "at": "2025-03-03T12:00:00.000000Z",
        "endpoint": "POST /api/orders/<int:order_id>",
        "mode": {"mode": "shadow", "percent": None, "sample_rate": 0.5},
        "request": {
            "method": "POST",
            "path": "/api/orders/7",
            "query": "dry=1",
            "headers": [["content-type", "application/json"], ["accept", "a"], ["accept", "b"]],
            "body": '{"price":"1.50 €"}',
            "body_encoding": "utf-8",
        },
        "primary": {
            "side": "legacy",
            "status": 201,
            "headers": [["content-type", "text/plain"]],
            "body": "done",
            "body_encoding": "utf-8",
            "effects": {"calls": [{"to": "broker"}]},
            "raised": None,
        },
        "candidate": {
            "side": "native",
            "status": 500,
            "headers": [],
            "body": "/wA=",
            "body_encoding": "base64",
            "effects": {"calls": []},
            "raised": "KeyError: 'price'",
        },
        "differences": [
            {"path": "status", "primary": 201, "candidate": 500, "primary_has": True, "candidate_has": True},
            {
                "path": "effects.calls[0]",
                "primary": {"to": "broker"},
                "candidate": None,
                "primary_has": True,
                "candidate_has": False,
            },
        ],
        "recording": {"instant": "2025-03-03T12:00:00Z"},
    }


async def test_what_json_has_no_number_for_is_shown_as_a_text(client: Client, store: MemoryCutoverStore) -> None:
    odd = Difference(path="body.x", primary=float("nan"), candidate=[float("-inf"), "\ud800"])
    (mismatch_id,) = store.add_evidence({}, [a_mismatch(differences=(odd,), recording=None)])

    response = await client.http.get(f"/cutover/mismatches/{mismatch_id}")

    assert response.status_code == 200
    (shown,) = response.json()["differences"]
    assert (shown["primary"], shown["candidate"]) == ("NaN", ["-Infinity", "\ud800"])
    assert response.json()["recording"] is None


async def test_health_is_told_as_it_is(client: Client) -> None:
    assert await client.get("/cutover/health", wire.HealthAnswer) == {
        "status": "degraded",
        "problems": ["the store can't answer"],
        "version": 3,
    }


# Moving


async def test_endpoints_move_and_the_log_says_who_and_why(client: Client, store: MemoryCutoverStore) -> None:
    seeded = store.version()
    told = await client.put_modes(
        {
            "changes": {
                STATUS.name: {"mode": "canary", "percent": 5, "sample_rate": 0.25},
                ORDER.name: {"mode": "native"},
            },
            "author": "ann",
            "reason": "the first clients",
            "version": seeded,
        }
    )
    assert told == {
        "version": store.version(),
        "modes": {
            STATUS.name: {"mode": "canary", "percent": 5.0, "sample_rate": 0.25},
            ORDER.name: {"mode": "native", "percent": None, "sample_rate": 1.0},
            OLD.name: {"mode": "legacy", "percent": None, "sample_rate": 1.0},
        },
    }
    assert store.version() > seeded

    (entry,) = (await client.get("/cutover/log", wire.LogAnswer, endpoint=STATUS.name, limit=1))["changes"]
    assert entry == {
        "version": store.version(),
        "at": "2025-03-03T12:00:00.000000Z",
        "endpoint": "GET /api/status",
        "before": {"mode": "shadow", "percent": None, "sample_rate": 0.5},
        "after": {"mode": "canary", "percent": 5.0, "sample_rate": 0.25},
        "author": "ann",
        "reason": "the first clients",
    }
    seeds = [
        entry for entry in (await client.get("/cutover/log", wire.LogAnswer))["changes"] if entry["before"] is None
    ]
    assert {entry["endpoint"] for entry in seeds} == {STATUS.name, ORDER.name, OLD.name}


async def test_a_change_without_a_version_goes_by_the_table_as_it_is(client: Client, store: MemoryCutoverStore) -> None:
    await client.put_modes({"changes": {STATUS.name: {"mode": "verify"}}, "author": "ann", "reason": "why"})
    assert store.table().modes[STATUS.name] == EndpointMode(mode="verify")


async def test_who_read_an_older_table_is_told_the_version_now(client: Client, store: MemoryCutoverStore) -> None:
    old = store.version()
    change = {"changes": {STATUS.name: {"mode": "verify"}}, "author": "ann", "reason": "why", "version": old}
    current = (await client.put_modes(change))["version"]

    told = await client.put_modes(change | {"changes": {STATUS.name: {"mode": "native"}}}, wire.ConflictAnswer, 409)

    assert told == {
        "error": f"the table of modes is at version {current}, not {old}: read it again",
        "version": current,
    }
    assert store.table().modes[STATUS.name].mode == "verify"


@pytest.mark.parametrize(
    ("endpoint", "named"),
    [("GET /none", "GET /none"), ("GET /old", "native"), ("get /api/status", "get /api/status")],
)
async def test_an_endpoint_that_can_t_be_moved_so_moves_none(
    client: Client, store: MemoryCutoverStore, endpoint: str, named: str
) -> None:
    before = store.table()
    told = await client.put_modes(
        {
            "changes": {STATUS.name: {"mode": "verify"}, endpoint: {"mode": "native"}},
            "author": "ann",
            "reason": "why",
        },
        ErrorAnswer,
        422,
    )
    assert endpoint in told["error"]
    assert named in told["error"]
    assert store.table() == before


ONE = {"GET /api/status": {"mode": "verify"}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "changes: missing is not an object of at least one endpoint's name and its new mode"),
        ({"changes": {}}, "changes: {} is not an object of at least one endpoint's name and its new mode"),
        ({"changes": [1]}, "changes: [1] is not an object of at least one endpoint's name and its new mode"),
        ({"changes": {"GET /x": "native"}}, 'changes of GET /x: "native" is not an object such as {"mode": "shadow"}'),
        (
            {"changes": {"GET /x": {}}},
            "mode of GET /x: missing is not legacy, shadow, canary, verify or native",
        ),
        (
            {"changes": {"GET /x": {"mode": "blue"}}},
            'mode of GET /x: "blue" is not legacy, shadow, canary, verify or native',
        ),
        (
            {"changes": {"GET /x": {"mode": "canary"}}},
            "percent of GET /x: missing is not a number from 0 to 100 for canary, and none otherwise",
        ),
        (
            {"changes": {"GET /x": {"mode": "canary", "percent": 100.5}}},
            "percent of GET /x: 100.5 is not a number from 0 to 100 for canary, and none otherwise",
        ),
        (
            {"changes": {"GET /x": {"mode": "shadow", "percent": 5}}},
            "percent of GET /x: 5 is not a number from 0 to 100 for canary, and none otherwise",
        ),
        (
            {"changes": {"GET /x": {"mode": "canary", "percent": "5"}}},
            'percent of GET /x: "5" is not a number from 0 to 100 for canary, and none otherwise',
        ),
        (
            {"changes": {"GET /x": {"mode": "shadow", "sample_rate": 1.01}}},
            "sample_rate of GET /x: 1.01 is not a number from 0 to 1",
        ),
        (
            {"changes": {"GET /x": {"mode": "shadow", "sample_rate": True}}},
            "sample_rate of GET /x: true is not a number from 0 to 1",
        ),
        (
            {"changes": {"GET /x": {"mode": "shadow", "rate": 1}}},
            "rate of GET /x: 1 is not expected: the known fields are mode, percent, sample_rate",
        ),
        (
            {"changes": ONE, "reason": "why"},
            "author: missing is not a text of 1 to 100 printable characters, not blank",
        ),
        (
            {"changes": ONE, "author": "", "reason": "why"},
            'author: "" is not a text of 1 to 100 printable characters, not blank',
        ),
        (
            {"changes": ONE, "author": "a" * 101, "reason": "why"},
            f'author: "{"a" * 79} is not a text of 1 to 100 printable characters, not blank',
        ),
        (
            {"changes": ONE, "author": "ann", "reason": "  "},
            'reason: "  " is not a text of 1 to 1000 printable characters, not blank',
        ),
        (
            {"changes": ONE, "author": "ann", "reason": "one\ntwo"},
            'reason: "one\\ntwo" is not a text of 1 to 1000 printable characters, not blank',
        ),
        (
            {"changes": ONE, "author": "ann"},
            "reason: missing is not a text of 1 to 1000 printable characters, not blank",
        ),
        (
            {"changes": ONE, "author": "ann", "reason": "why", "version": -1},
            "version: -1 is not a whole number from 0",
        ),
        (
            {"changes": ONE, "author": "ann", "reason": "why", "version": "3"},
            'version: "3" is not a whole number from 0',
        ),
        (
            {"changes": ONE, "author": "ann", "reason": "why", "force": True},
            "force: true is not expected: the known fields are changes, author, reason, version",
        ),
    ],
    ids=str,
)
async def test_a_body_that_breaks_a_rule_is_refused_by_name_value_and_bound(
    client: Client, store: MemoryCutoverStore, content: object, sentence: str
) -> None:
    before = store.table()
    assert await client.put_modes(content, ErrorAnswer, 400) == {"error": sentence}
    assert store.table() == before


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body is malformed: it is not JSON at line 1, column 1"),
        (b"[]", 400, "the body is malformed: it is not a JSON object"),
        (b"\xff", 400, "the body is malformed: it is not UTF-8"),
        (b'{"author":"a","author":"b"}', 400, 'the body is malformed: the key "author" is there more than once'),
        (b'{"version":NaN}', 400, "the body is malformed: NaN is not a JSON number"),
        (b"[" * 60_000, 400, "the body is malformed: it holds more than 4096 objects and lists"),
        (b" " * 65_537, 413, "the body is larger than 65536 bytes"),
    ],
    ids=["empty", "a list", "not UTF-8", "a key twice", "NaN", "deep", "large"],
)
async def test_a_body_that_can_t_be_read_is_refused(client: Client, body: bytes, status: int, sentence: str) -> None:
    headers = {"content-type": "application/json"}
    response = await client.http.put("/cutover/modes", content=body, headers=headers)
    assert read(response, ErrorAnswer, status) == {"error": sentence}


async def test_a_body_without_a_length_is_bounded_as_well(client: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 4_096

    headers = {"content-type": "application/json"}
    response = await client.http.put("/cutover/modes", content=endless(), headers=headers)
    assert response.status_code == 413
    assert sent == 17


async def test_a_form_is_refused(client: Client) -> None:
    response = await client.http.put("/cutover/modes", data={"author": "ann"})
    assert read(response, ErrorAnswer, 415) == {
        "error": 'Content-Type: "application/x-www-form-urlencoded" is not application/json'
    }


# Requests that are wrong


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


async def test_a_fault_shows_nothing_of_itself() -> None:
    store = FailingStore(RuntimeError("a secret"))
    async with on(admin_app(Desk(cast("CutoverStore", store)), token=TOKEN)) as http:
        response = await http.get("/cutover/log")
    assert read(response, ErrorAnswer, 500) == {"error": "internal server error"}


# The documents


@pytest.fixture
async def document(store: MemoryCutoverStore) -> Any:
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        return (await http.get("/cutover/openapi.json")).json()


async def test_the_documents_need_no_token_and_show_none(store: MemoryCutoverStore) -> None:
    async with on(admin_app(Desk(store), token=TOKEN), token=None) as http:
        pages = [await http.get("/cutover/openapi.json"), await http.get("/cutover/docs")]
    assert [page.status_code for page in pages] == [200, 200]
    assert not any(TOKEN in page.text for page in pages)


def test_the_document_is_valid_and_says_how_to_come_in(document: Any) -> None:
    OpenAPI.model_validate(document)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["description"] and one["tags"] == ["cutover"] for one in operations)
    assert all(one["security"] == [{"HTTPBearer": []}] for one in operations)
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(document: Any) -> None:
    references = _references(document)
    assert references
    for reference in references:
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_every_operation_is_there_with_its_answers(document: Any) -> None:
    shown = {
        f"{method.upper()} {path}": {
            status: response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for status, response in one["responses"].items()
        }
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    wrong, unauthorized, none, unavailable = ({status: "ErrorAnswer"} for status in ("400", "401", "404", "503"))
    assert shown == {
        "GET /cutover/endpoints": {"200": "EndpointsAnswer", **unauthorized, **unavailable},
        "GET /cutover/endpoint": {"200": "EndpointAnswer", **wrong, **unauthorized, **none, **unavailable},
        "PUT /cutover/modes": {
            "200": "ModesAnswer",
            **wrong,
            **unauthorized,
            "409": "ConflictAnswer",
            "413": "ErrorAnswer",
            "415": "ErrorAnswer",
            "422": "ErrorAnswer",
            **unavailable,
        },
        "GET /cutover/log": {"200": "LogAnswer", **wrong, **unauthorized, **unavailable},
        "GET /cutover/mismatches": {"200": "MismatchesAnswer", **wrong, **unauthorized, **unavailable},
        "GET /cutover/mismatches/{mismatch_id}": {"200": "MismatchAnswer", **unauthorized, **none, **unavailable},
        "GET /cutover/health": {"200": "HealthAnswer", **unauthorized},
    }


def test_the_parameters_show_their_rules(document: Any) -> None:
    shown = {
        path: {one["name"]: (one["in"], one["required"]) for one in methods["get"]["parameters"]}
        for path, methods in document["paths"].items()
        if "parameters" in methods.get("get", {})
    }
    assert shown == {
        "/cutover/endpoint": {"name": ("query", True), "limit": ("query", False)},
        "/cutover/log": {"endpoint": ("query", False), "limit": ("query", False)},
        "/cutover/mismatches": {"endpoint": ("query", False), "limit": ("query", False)},
        "/cutover/mismatches/{mismatch_id}": {"mismatch_id": ("path", True)},
    }
    limits = [
        one["schema"]
        for methods in document["paths"].values()
        for one in methods.get("get", {}).get("parameters", ())
        if one["name"] == "limit"
    ]
    assert [(one["minimum"], one["maximum"], one["default"]) for one in limits] == [
        (1, 500, 20),
        (1, 500, 50),
        (1, 500, 20),
    ]


def test_the_change_s_body_shows_its_rules(document: Any) -> None:
    body = document["paths"]["/cutover/modes"]["put"]["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["changes", "author", "reason"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["changes"]["additionalProperties"] == {"$ref": "#/components/schemas/EndpointMode"}
    mode = document["components"]["schemas"]["EndpointMode"]
    assert mode["required"] == ["mode"]
    assert mode["properties"]["mode"]["enum"] == ["legacy", "shadow", "canary", "verify", "native"]
    assert mode["additionalProperties"] is False


async def test_another_prefix_moves_everything(store: MemoryCutoverStore) -> None:
    async with on(admin_app(Desk(store), token=TOKEN, prefix="/ops/moves")) as http:
        assert (await http.get("/ops/moves/endpoints")).status_code == 200
        assert (await http.get("/ops/moves/docs")).status_code == 200
        assert (await http.get("/ops/moves/openapi.json")).json()["paths"].keys() >= {"/ops/moves/modes"}
        assert (await http.get("/cutover/endpoints")).status_code == 404
