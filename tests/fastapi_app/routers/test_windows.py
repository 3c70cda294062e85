"""Windows over HTTP: made, listed and shown, and what is malformed of a request."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import DEFAULTS, MALFORMED, TRADE, WINDOWS, Bench, Malformed

# Making


async def test_a_window_is_made_with_its_config_at_version_1(bench: Bench) -> None:
    wanted = {"window_id": "desk-1", "config": {"end_hour": 17, "cooldown_seconds": 60}}
    made = await bench.ask("POST", WINDOWS, wanted, status=201)
    assert made == {"config": {**DEFAULTS, "end_hour": 17, "cooldown_seconds": 60}, "version": 1}
    assert await bench.get("/api/windows/desk-1/config") == made


async def test_without_a_config_it_has_the_defaults(bench: Bench) -> None:
    assert await bench.ask("POST", WINDOWS, {"window_id": "plain"}, status=201) == {"config": DEFAULTS, "version": 1}


async def test_an_equal_window_is_made_again_with_the_same_answer_and_no_write(bench: Bench) -> None:
    wanted = {"window_id": "desk", "config": {"end_hour": 17}}
    first = await bench.ask("POST", WINDOWS, wanted, status=201)
    before = bench.everything()
    assert await bench.ask("POST", WINDOWS, wanted, status=201) == first
    spelled_out = {"window_id": "desk", "config": {**DEFAULTS, "end_hour": 17, "calendar": None}}
    assert await bench.ask("POST", WINDOWS, spelled_out, status=201) == first
    assert bench.everything() == before


@pytest.mark.parametrize("window_id", ["desk", "default"])
async def test_a_window_that_is_there_with_another_config_stays_as_it_is(bench: Bench, window_id: str) -> None:
    await bench.made("desk")
    before = bench.everything()
    wanted = {"window_id": window_id, "config": {"end_hour": 16}}
    assert await bench.ask("POST", WINDOWS, wanted, status=409) == {
        "error": f"a trading window named '{window_id}' is there already, with another config"
    }
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "window_id: missing is not a name of 1 to 64 letters a-z, digits, dashes and underscores, which begins"),
        ({"window_id": "Desk"}, 'window_id: "Desk" is not a name of 1 to 64 letters a-z'),
        ({"window_id": "-a"}, 'window_id: "-a" is not a name of 1 to 64 letters a-z'),
        ({"window_id": "a" * 65}, 'window_id: "aaaa'),
        ({"window_id": "a\n"}, 'window_id: "a\\n" is not a name'),
        ({"window_id": "\ud800"}, 'window_id: "\\ud800" is not a name'),
        ({"window_id": None}, "window_id: null is not a name"),
        ({"window_id": "a", "config": None}, "config: null is not a table of the config's keys"),
        ({"window_id": "a", "config": [1]}, "config: [1] is not a table of the config's keys"),
        ({"window_id": "a", "more": 1}, "more: 1 is not expected: the known fields are window_id, config"),
        ({"window_id": "a", "config": {"end_hour": 25}}, "end_hour: 25 is not a whole number from 0 to 24"),
        ({"window_id": "a", "config": {"day_turns_at": "session"}}, 'day_turns_at: "session" is not possible without'),
    ],
    ids=str,
)
async def test_a_window_that_is_asked_for_wrongly_is_not_made(bench: Bench, body: Any, sentence: str) -> None:
    before = bench.everything()
    answer = await bench.ask("POST", WINDOWS, body, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


# Listing


async def test_the_windows_are_listed_in_order_by_pages(bench: Bench) -> None:
    for name in ("b", "a", "c-1", "c"):
        await bench.made(name)
    assert await bench.get(WINDOWS) == {"windows": ["a", "b", "c", "c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, limit=2) == {"windows": ["a", "b"], "next": "b"}
    assert await bench.get(WINDOWS, limit=2, after="b") == {"windows": ["c", "c-1"], "next": "c-1"}
    assert await bench.get(WINDOWS, limit=2, after="c-1") == {"windows": ["default"], "next": None}
    assert await bench.get(WINDOWS, limit=2, after="c") == {"windows": ["c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, after="bb") == {"windows": ["c", "c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, after="z") == {"windows": [], "next": None}


# The whole


async def test_the_whole_window_at_one_instant(bench: Bench) -> None:
    path = await bench.made(start_hour=9, end_hour=17, max_trades_per_day=4, in_doubt_after_seconds=1)
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/permits/permit-2/sent")
    await bench.ask("POST", f"{path}/halts", {"reason": "fork", "author": "ann", "symbol": "ETH-USD"})
    bench.at("2025-03-03T12:00:30Z")
    assert await bench.get(path) == {
        "window_id": "desk",
        "version": 1,
        "config": {
            "start_hour": 9,
            "end_hour": 17,
            "max_trades_per_day": 4,
            "timezone": "UTC",
            "in_doubt_after_seconds": 1,
        },
        "is_open": True,
        "next_open": "2025-03-04T09:00:00.000000Z",
        "next_close": "2025-03-03T17:00:00.000000Z",
        "trade_day": "2025-03-03",
        "trades_today": 3,
        "max_trades_per_day": 4,
        "remaining_trades": 1,
        "open_permits": 2,
        "in_doubt": 1,
        "halts": {
            "ETH-USD": {"reason": "fork", "author": "ann", "since": "2025-03-03T12:00:00.000000Z", "until": None}
        },
        "warning": None,
    }


async def test_one_that_never_opens_and_one_that_never_closes_know_no_such_instant(bench: Bench) -> None:
    never = await bench.get(await bench.made("never", start_hour=22, end_hour=6))
    assert (never["is_open"], never["next_open"], never["next_close"]) == (False, None, None)
    always = await bench.get(await bench.made("always"))
    assert (always["is_open"], always["next_open"], always["next_close"]) == (True, None, None)


UNKNOWN = [
    ("GET", "", None),
    ("GET", "/config", None),
    ("PUT", "/config", {"end_hour": 17}),
    ("GET", "/decision", None),
    ("GET", "/schedule", None),
    ("POST", "/trades", TRADE),
    ("GET", "/trades", None),
    ("GET", "/ledger", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), UNKNOWN, ids=[f"{method} {rest}" for method, rest, _ in UNKNOWN])
async def test_a_window_that_was_never_made_is_a_404(bench: Bench, method: str, rest: str, body: Any) -> None:
    before = bench.everything()
    answer = await bench.ask(method, f"/api/windows/none{rest}", body, status=404)
    assert answer == {"error": "no trading window is named 'none'"}
    assert bench.everything() == before


# What is malformed


BODIES = [("POST", WINDOWS), ("PUT", "/api/windows/desk/config"), ("POST", "/api/windows/desk/trades")]


@pytest.mark.parametrize(("method", "path"), BODIES, ids=" ".join)
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_changes_nothing(bench: Bench, method: str, path: str, malformed: Malformed) -> None:
    await bench.made()
    before = bench.everything()
    assert await bench.send(method, path, malformed) == {"error": malformed.sentence}
    assert bench.everything() == before


LIMIT_RULE = "is not a whole number from 1 to 500"
INSTANT_RULE = (
    "is not an instant with its offset, such as 2026-12-24T12:00:00Z or 2026-12-24T13:00:00%2B01:00 (%2B is how a plus "
    "sign is written in a query)"
)
WRONG_QUERIES = [
    ("?limit=0", f'limit: "0" {LIMIT_RULE}'),
    ("?limit=501", f'limit: "501" {LIMIT_RULE}'),
    ("?limit=", f'limit: "" {LIMIT_RULE}'),
    (f"?after={'a' * 65}", 'after: "aaaa'),
    ("/desk/decision?symbol=btc", 'symbol: "btc" is not a symbol such as BTC-USD'),
    ("/desk/decision?side=up", 'side: "up" is not "buy" or "sell"'),
    ("/desk/decision?strategy=", 'strategy: "" is not a text of 1 to 64 printable characters'),
    ("/desk/decision?reduces=yes", 'reduces: "yes" is not true or false'),
    ("/desk/decision?reduces=1", 'reduces: "1" is not true or false'),
    ("/desk/decision?at=noon", f'at: "noon" {INSTANT_RULE}'),
    ("/desk/decision?at=2025-03-03T12:00:00", f'at: "2025-03-03T12:00:00" {INSTANT_RULE}'),
    ("/desk/decision?at=2025-03-03T12:00:00+01:00", f'at: "2025-03-03T12:00:00 01:00" {INSTANT_RULE}'),
    ("/desk/decision?at=1741003200", f'at: "1741003200" {INSTANT_RULE}'),
    ("/desk/decision?at=0001-01-01T00:00:00%2B01:00", f'at: "0001-01-01T00:00:00+01:00" {INSTANT_RULE}'),
    ("/desk/schedule?at=", f'at: "" {INSTANT_RULE}'),
    ("/desk/schedule?at=9999-12-31T23:59:59-01:00", f'at: "9999-12-31T23:59:59-01:00" {INSTANT_RULE}'),
    ("/desk/schedule?limit=1.5", f'limit: "1.5" {LIMIT_RULE}'),
    ("/desk/trades?date=2025-02-30", 'date: "2025-02-30" is not a date, written YYYY-MM-DD'),
    ("/desk/trades?limit=-1", f'limit: "-1" {LIMIT_RULE}'),
    ("/desk/ledger?kind=trades", 'kind: "trades" is not "trade", "permit", "halt", "config" or "day"'),
    ("/desk/ledger?before=0", "before: "),
    ("/desk/ledger?before=x", 'before: "x" is not a sequence number, a whole number from 1'),
    ("/desk/ledger?before=99999999999999999999", 'before: "99999999999999999999" is not a sequence number'),
]


@pytest.mark.parametrize(("rest", "sentence"), WRONG_QUERIES, ids=[rest for rest, _ in WRONG_QUERIES])
async def test_a_wrong_query_is_refused_by_its_parameter_its_value_and_the_bound(
    bench: Bench, rest: str, sentence: str
) -> None:
    await bench.made()
    before = bench.everything()
    answer = await bench.ask("GET", f"{WINDOWS}{rest}", status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize(
    "config",
    [
        {"start_hour": 9, "end_hour": 17, "timezone": "Asia/Tokyo"},
        {"intervals": [{"start": "22:00", "end": "06:00"}], "timezone": "America/New_York"},
        {"max_trades_per_day": 0, "day_turns_at": "17:00", "day_timezone": "Pacific/Auckland"},
    ],
    ids=str,
)
async def test_the_first_and_the_last_instant_can_be_asked_about(bench: Bench, at: str, config: dict[str, Any]) -> None:
    path = await bench.made(**config)
    assert (await bench.get(f"{path}/decision", at=at))["allowed"] in (True, False)
    assert (await bench.get(f"{path}/schedule", at=at))["known_until"] is None
