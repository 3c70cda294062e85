"""The cutover's HTTP API: evidence is forgotten, and what that is refused for."""

from typing import Any

import pytest

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.wire import ErrorAnswer
from tests.fastapi_app.cutover.api.bench import OLD, ORDER, STATUS, Client, a_mismatch, read

STATUS_MATCH = CountKey(STATUS.name, "shadow", "match", "")
EVIDENCE = {
    STATUS_MATCH: 3,
    CountKey(ORDER.name, "shadow", "mismatch", ""): 8,
    CountKey(ORDER.name, "shadow", "skipped", "queue_full"): 1,
}


@pytest.fixture
def store(store: MemoryCutoverStore) -> MemoryCutoverStore:
    store.add_evidence(EVIDENCE, [a_mismatch(), a_mismatch()])
    return store


async def forget(client: Client, content: object, *, status: int = 200) -> Any:
    response = await client.http.post("/cutover/forget", json=content)
    return read(response, wire.ForgottenAnswer if status == 200 else ErrorAnswer, status)


async def test_the_evidence_of_an_endpoint_is_forgotten_and_the_log_says_who_and_why(
    client: Client, store: MemoryCutoverStore
) -> None:
    version = store.version()
    names = [ORDER.name, OLD.name]
    told = await forget(client, {"endpoints": names, "author": "ann", "reason": "native is mended"})

    assert told == {"forgotten": [{"endpoint": ORDER.name, "comparisons": 9, "mismatches": 2}]}
    assert (store.counts(), list(store.mismatches()), store.version()) == ({STATUS_MATCH: 3}, [], version)
    (entry,) = (await client.get("/cutover/log", wire.LogAnswer, limit=1))["changes"]
    assert entry.pop("at")
    legacy = {"mode": "legacy", "percent": None, "sample_rate": 1.0}
    assert entry == {
        "kind": "forget",
        "version": version,
        "endpoint": ORDER.name,
        "before": legacy,
        "after": legacy,
        "author": "ann",
        "reason": "native is mended",
    }


async def test_the_evidence_of_all_is_forgotten(client: Client, store: MemoryCutoverStore) -> None:
    told = await forget(client, {"endpoints": "all", "author": "ann", "reason": "why"})
    assert [row["endpoint"] for row in told["forgotten"]] == [STATUS.name, ORDER.name]
    assert (store.counts(), list(store.mismatches())) == ({}, [])
    assert await forget(client, {"endpoints": "all", "author": "ann", "reason": "why"}) == {"forgotten": []}


async def test_of_an_endpoint_that_isn_t_there_nothing_is_forgotten(client: Client, store: MemoryCutoverStore) -> None:
    names = [ORDER.name, "GET /api/statsu"]
    told = await forget(client, {"endpoints": names, "author": "ann", "reason": "why"}, status=422)
    assert told["error"].startswith("'GET /api/statsu' is not an endpoint: the nearest are GET /api/status")
    assert store.counts() == EVIDENCE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, 'endpoints: missing is not a list of at least one endpoint\'s name, or "all"'),
        ({"endpoints": []}, 'endpoints: [] is not a list of at least one endpoint\'s name, or "all"'),
        ({"endpoints": "GET /x"}, 'endpoints: "GET /x" is not a list of at least one endpoint\'s name, or "all"'),
        ({"endpoints": [1]}, 'endpoints: [1] is not a list of at least one endpoint\'s name, or "all"'),
        (
            {"endpoints": "all", "reason": "why"},
            "author: missing is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog",
        ),
        (
            {"endpoints": "all", "author": "ann", "reason": " "},
            'reason: " " is not a text of 1 to 1000 printable characters, not blank',
        ),
        (
            {"endpoints": "all", "author": "ann", "reason": "why", "version": 1},
            "version: 1 is not expected: the known fields are endpoints, author, reason",
        ),
    ],
    ids=str,
)
async def test_a_body_that_breaks_a_rule_is_refused_by_name_value_and_bound(
    client: Client, store: MemoryCutoverStore, content: object, sentence: str
) -> None:
    assert await forget(client, content, status=400) == {"error": sentence}
    assert store.counts() == EVIDENCE
