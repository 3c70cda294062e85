"""The cutover's HTTP API: endpoints are moved, and what a move is refused for."""

from collections.abc import AsyncIterator

import pytest

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.modes import EndpointMode
from shared.wire import ErrorAnswer
from tests.fastapi_app.cutover.api.bench import OLD, ONE, ORDER, STATUS, Client, read


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
        "never_compared": [STATUS.name, ORDER.name],
        "skipped_as": {},
        "differing": [],
    }
    assert store.version() > seeded

    (entry,) = (await client.get("/cutover/log", wire.LogAnswer, endpoint=STATUS.name, limit=1))["changes"]
    assert entry == {
        "kind": "move",
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


async def test_a_move_to_native_s_answers_is_told_what_is_unproved(client: Client, store: MemoryCutoverStore) -> None:
    store.add_evidence(
        {
            CountKey(STATUS.name, "shadow", "mismatch", ""): 3,
            CountKey(STATUS.name, "shadow", "match", ""): 2,
            CountKey(ORDER.name, "shadow", "skipped", "unsafe"): 4,
        },
        [],
    )
    change = {STATUS.name: {"mode": "native"}, ORDER.name: {"mode": "native"}, OLD.name: {"mode": "legacy"}}
    told = await client.put_modes({"changes": change, "author": "ann", "reason": "why"})
    assert {key: told[key] for key in ("never_compared", "skipped_as", "differing")} == {
        "never_compared": [ORDER.name],
        "skipped_as": {ORDER.name: "unsafe"},
        "differing": [{"endpoint": STATUS.name, "mismatches": 3, "compared": 5}],
    }
    # Nothing moves the second time.
    told = await client.put_modes({"changes": change, "author": "ann", "reason": "why"})
    assert (told["never_compared"], told["skipped_as"], told["differing"]) == ([], {}, [])


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
            "percent of GET /x: missing is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"changes": {"GET /x": {"mode": "canary", "percent": 100.5}}},
            "percent of GET /x: 100.5 is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"changes": {"GET /x": {"mode": "shadow", "percent": 5}}},
            "percent of GET /x: 5 is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"changes": {"GET /x": {"mode": "canary", "percent": "5"}}},
            'percent of GET /x: "5" is not a number from 0 to 100, which canary needs and no other mode takes',
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
            "author: missing is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog",
        ),
        (
            {"changes": ONE, "author": "", "reason": "why"},
            'author: "" is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog',
        ),
        (
            {"changes": ONE, "author": "a" * 101, "reason": "why"},
            f'author: "{"a" * 79} is not a text of 1 to 100 printable characters, not blank, '
            "and none of guard, watchdog",
        ),
        (
            {"changes": ONE, "author": "guard", "reason": "why"},
            'author: "guard" is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog',
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
