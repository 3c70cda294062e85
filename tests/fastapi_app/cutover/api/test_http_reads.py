"""The cutover's HTTP API: endpoints, mismatches and health, as they are told."""

from fastapi_app.cutover.api import wire
from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from tests.fastapi_app.cutover.api.bench import AT, ORDER, STATUS, Client, a_mismatch, read


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
                "gone": False,
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
                "gone": False,
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
                "gone": False,
                "counts": {"match": 0, "mismatch": 0, "accepted": 0, "skipped": 0},
            },
        ],
    }


async def test_an_endpoint_that_is_gone_is_told_while_it_is_not_in_legacy(
    client: Client, store: MemoryCutoverStore
) -> None:
    store.register([ORDER], {}, at=AT)
    rows = (await client.get("/cutover/endpoints", wire.EndpointsAnswer))["endpoints"]
    assert [(row["name"], row["mode"], row["gone"]) for row in rows] == [
        (ORDER.name, "legacy", False),
        (STATUS.name, "shadow", True),
    ]
    shown = await client.get("/cutover/endpoint", wire.EndpointAnswer, name="GET /old")
    assert (shown["mode"], shown["gone"]) == ("legacy", True)


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
            "raised_at": None,
        },
        "candidate": {
            "side": "native",
            "status": 500,
            "headers": [],
            "body": "/wA=",
            "body_encoding": "base64",
            "effects": {"calls": []},
            "raised": "KeyError: 'price'",
            "raised_at": "KeyError in quote (prices.py:31)",
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
