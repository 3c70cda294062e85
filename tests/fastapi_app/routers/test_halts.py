"""`/api/windows/{window_id}/halts` and `…/resume` over HTTP; a halt holds on either side."""

from typing import Any

import pytest

from shared.modes import Mode
from tests.fastapi_app.routers.bench import LEGACY_TRADES, MALFORMED, TRADE, Bench, Malformed

LUNCH = {"reason": "lunch", "author": "ann"}
IN_FORCE = {"reason": "lunch", "author": "ann", "since": "2025-03-03T12:00:00.000000Z", "until": None}


async def test_a_halt_of_everything_refuses_each_trade_until_it_is_ended(bench: Bench) -> None:
    path = await bench.made()
    assert await bench.get(f"{path}/halts") == {"halts": {}}
    assert await bench.ask("POST", f"{path}/halts", LUNCH) == {"halts": {"*": IN_FORCE}, "before": None}
    assert await bench.get(f"{path}/halts") == {"halts": {"*": IN_FORCE}}
    reason = {"code": "HALTED", "sentence": "halted: lunch", "value": "lunch", "bound": None, "clears_at": None}
    refused = {"error": "halted: lunch", "reasons": [reason], "clears_at": None}
    for body in (TRADE, {**TRADE, "symbol": "ETH-USD"}, {**TRADE, "reduces": True}):
        assert await bench.ask("POST", f"{path}/trades", body, status=403) == refused
    bench.at("2025-03-10T12:00:00Z")
    assert await bench.ask("POST", f"{path}/trades", TRADE, status=403) == refused
    assert await bench.ask("POST", f"{path}/resume", {"reason": "back", "author": "bob"}) == {"halts": {}}
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)


async def test_a_halt_of_a_symbol_refuses_that_symbol_alone(bench: Bench) -> None:
    path = await bench.made()
    halted = await bench.ask("POST", f"{path}/halts", {**LUNCH, "symbol": "BTC-USD"})
    assert halted == {"halts": {"BTC-USD": IN_FORCE}, "before": None}
    refused = await bench.ask("POST", f"{path}/trades", TRADE, status=403)
    assert [(one["code"], one["bound"]) for one in refused["reasons"]] == [("HALTED", "BTC-USD")]
    await bench.ask("POST", f"{path}/trades", {**TRADE, "symbol": "ETH-USD"}, status=201)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/resume", {**LUNCH, "symbol": "BTC-USD"})
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)


async def test_both_halts_are_told_and_each_is_ended_by_itself(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", {"reason": "fork", "author": "bob", "symbol": "BTC-USD"})
    both = (await bench.ask("POST", f"{path}/halts", LUNCH))["halts"]
    assert {symbol: halt["reason"] for symbol, halt in both.items()} == {"*": "lunch", "BTC-USD": "fork"}
    refused = await bench.ask("POST", f"{path}/trades", TRADE, status=403)
    assert [one["sentence"] for one in refused["reasons"]] == ["halted: lunch", "halted: fork"]
    left = (await bench.ask("POST", f"{path}/resume", LUNCH))["halts"]
    assert left.keys() == {"BTC-USD"}
    assert (await bench.ask("POST", f"{path}/trades", TRADE, status=403))["error"] == "halted: fork"


async def test_a_halt_with_an_end_ends_by_itself_to_the_microsecond(bench: Bench) -> None:
    path = await bench.made()
    until = "2025-03-03T13:30:00.000001+01:00"
    halted = await bench.ask("POST", f"{path}/halts", {**LUNCH, "until": until})
    assert halted == {"halts": {"*": {**IN_FORCE, "until": "2025-03-03T12:30:00.000001Z"}}, "before": None}
    bench.at("2025-03-03T12:30:00Z")
    refused = await bench.ask("POST", f"{path}/trades", TRADE, status=403)
    assert refused["clears_at"] == "2025-03-03T12:30:00.000001Z"
    bench.at("2025-03-03T12:30:00.000001Z")
    assert await bench.get(f"{path}/halts") == {"halts": {}}
    assert (await bench.get(path))["halts"] == {}
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    assert await bench.ask("POST", f"{path}/resume", LUNCH) == {"halts": {}}
    ledger = (await bench.get(f"{path}/ledger"))["entries"]
    assert [(entry["id"], entry["data"].get("status")) for entry in ledger] == [
        ("trade-2", None),
        ("halt-*-2025-03-03T12:30:00.000001Z", "ended"),
        ("halt-1", "halted"),
    ]


@pytest.mark.parametrize("of", [{}, {"symbol": "BTC-USD"}], ids=["everything", "a symbol"])
async def test_a_halt_takes_the_place_of_the_one_in_force_and_tells_it(bench: Bench, of: dict[str, str]) -> None:
    path = await bench.made()
    symbol = of.get("symbol", "*")
    await bench.ask("POST", f"{path}/halts", {**LUNCH, **of, "until": "2025-03-03T13:00:00Z"})
    bench.at("2025-03-03T12:10:00Z")
    fork = {"reason": "fork", "author": "bob"}
    first = {**IN_FORCE, "until": "2025-03-03T13:00:00.000000Z"}
    second = {**fork, "since": "2025-03-03T12:00:00.000000Z", "until": None}
    assert await bench.ask("POST", f"{path}/halts", {**fork, **of}) == {"halts": {symbol: second}, "before": first}
    assert await bench.get(f"{path}/halts") == {"halts": {symbol: second}}
    newest = (await bench.get(f"{path}/ledger"))["entries"][0]
    assert newest["instant"] == "2025-03-03T12:10:00.000000Z"
    assert newest["data"] == {**second, "before": first, "symbol": symbol, "status": "halted"}
    third = await bench.ask("POST", f"{path}/halts", {**LUNCH, **of})
    assert third == {"halts": {symbol: IN_FORCE}, "before": second}
    assert await bench.ask("POST", f"{path}/resume", {**LUNCH, **of}) == {"halts": {}}


async def test_a_halt_begins_anew_where_the_last_has_ended_or_is_another_symbol_s(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", {**LUNCH, "until": "2025-03-03T12:05:00Z"})
    bench.at("2025-03-03T12:05:00Z")
    now = {**IN_FORCE, "since": "2025-03-03T12:05:00.000000Z"}
    assert await bench.ask("POST", f"{path}/halts", LUNCH) == {"halts": {"*": now}, "before": None}
    other = await bench.ask("POST", f"{path}/halts", {**LUNCH, "symbol": "BTC-USD"})
    assert other == {"halts": {"*": now, "BTC-USD": now}, "before": None}
    await bench.ask("POST", f"{path}/resume", LUNCH)
    bench.at("2025-03-03T12:06:00Z")
    again = await bench.ask("POST", f"{path}/halts", LUNCH)
    assert (again["halts"]["*"]["since"], again["before"]) == ("2025-03-03T12:06:00.000000Z", None)


async def test_to_end_a_halt_that_is_not_there_writes_nothing(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", {**LUNCH, "symbol": "BTC-USD"})
    before = bench.everything()
    for body in (LUNCH, {**LUNCH, "symbol": "ETH-USD"}):
        assert (await bench.ask("POST", f"{path}/resume", body))["halts"].keys() == {"BTC-USD"}
    assert bench.everything() == before


async def test_who_and_why_are_in_the_ledger(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", {**LUNCH, "symbol": "BTC-USD"})
    await bench.ask("POST", f"{path}/resume", {"reason": "back", "author": "bob", "symbol": "BTC-USD"})
    resumed, halted = (await bench.get(f"{path}/ledger", kind="halt"))["entries"]
    assert halted["data"] == {**IN_FORCE, "symbol": "BTC-USD", "status": "halted", "before": None}
    assert resumed["data"] == {"reason": "back", "author": "bob", "symbol": "BTC-USD", "status": "resumed"}
    assert (halted["symbol"], resumed["symbol"]) == ("BTC-USD", "BTC-USD")


async def test_a_halt_is_its_window_s_own(bench: Bench) -> None:
    one, other = await bench.made("one"), await bench.made("other")
    await bench.ask("POST", f"{one}/halts", LUNCH)
    assert await bench.get(f"{other}/halts") == {"halts": {}}
    await bench.ask("POST", f"{other}/trades", TRADE, status=201)


@pytest.mark.parametrize("mode", ["legacy", "native"])
async def test_both_sides_honour_a_halt_of_the_default_window(mode: Mode) -> None:
    bench = Bench({f"POST {LEGACY_TRADES}": mode})
    path = "/api/windows/default"
    await bench.ask("POST", f"{path}/halts", LUNCH)
    before = bench.everything()
    response = await bench.http.post(LEGACY_TRADES, json=TRADE)
    assert response.headers["x-cutover-side"] == mode
    assert (response.status_code, response.json()) == (403, {"error": "halted: lunch"})
    assert bench.everything() == before
    await bench.ask("POST", f"{path}/resume", LUNCH)
    await bench.ask("POST", f"{path}/halts", {**LUNCH, "symbol": "BTC-USD", "until": "2025-03-03T12:05:00Z"})
    assert await bench.ask("POST", LEGACY_TRADES, TRADE, status=403) == {"error": "halted: lunch"}
    await bench.ask("POST", LEGACY_TRADES, {**TRADE, "symbol": "ETH-USD"}, status=201)
    bench.at("2025-03-03T12:05:00Z")
    assert (await bench.ask("POST", LEGACY_TRADES, TRADE, status=201))["trades_today"] == 2
    await bench.http.aclose()


# What is unknown or malformed


@pytest.mark.parametrize(("method", "rest"), [("GET", "halts"), ("POST", "halts"), ("POST", "resume")])
async def test_a_window_that_was_never_made_is_a_404(bench: Bench, method: str, rest: str) -> None:
    body = None if method == "GET" else LUNCH
    answer = await bench.ask(method, f"/api/windows/none/{rest}", body, status=404)
    assert answer == {"error": "no trading window is named 'none'"}


@pytest.mark.parametrize("rest", ["halts", "resume"])
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_changes_nothing(bench: Bench, rest: str, malformed: Malformed) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", LUNCH)
    before = bench.everything()
    assert await bench.send("POST", f"{path}/{rest}", malformed) == {"error": malformed.sentence}
    assert bench.everything() == before


WHY = "is not a text of 1 to 200 characters"
WHO = "is not a text of 1 to 64 characters"
WHEN = "is not an instant with its offset, such as 2026-12-24T12:00:00Z"
WRONG_IN_BOTH: list[tuple[dict[str, Any], str]] = [
    ({"reason": None}, f"reason: null {WHY}"),
    ({"reason": ""}, f'reason: "" {WHY}'),
    ({"reason": "r" * 201}, f'reason: "{"r" * 79} {WHY}'),
    ({"reason": "\ud800"}, f'reason: "\\ud800" {WHY}'),
    ({"author": ""}, f'author: "" {WHO}'),
    ({"author": 7}, f"author: 7 {WHO}"),
    ({"symbol": "*"}, 'symbol: "*" is not a symbol such as BTC-USD'),
    ({"symbol": ""}, 'symbol: "" is not a symbol such as BTC-USD'),
]
WRONG_IN_A_HALT: list[tuple[dict[str, Any], str]] = [
    ({"until": "tomorrow"}, f'until: "tomorrow" {WHEN}'),
    ({"until": "2025-03-03T13:00:00"}, f'until: "2025-03-03T13:00:00" {WHEN}'),
    ({"until": 1741003200}, f"until: 1741003200 {WHEN}"),
    ({"until": "0001-01-01T00:00:00+14:00"}, f'until: "0001-01-01T00:00:00+14:00" {WHEN}'),
    (
        {"until": "2025-03-03T12:00:00Z"},
        'until: "2025-03-03T12:00:00.000000Z" is not an instant after 2025-03-03T12:00:00.000000Z',
    ),
    ({"since": "now"}, 'since: "now" is not expected: the known fields are reason, author, symbol, until'),
]
WRONG = [(rest, *each) for rest in ("halts", "resume") for each in WRONG_IN_BOTH] + [
    *(("halts", *each) for each in WRONG_IN_A_HALT),
    ("resume", {"until": None}, "until: null is not expected: the known fields are reason, author, symbol"),
]


@pytest.mark.parametrize(("rest", "changes", "sentence"), WRONG, ids=[f"{rest} {body}"[:60] for rest, body, _ in WRONG])
async def test_a_wrong_field_is_refused_by_its_name_its_value_and_the_bound(
    bench: Bench, rest: str, changes: dict[str, Any], sentence: str
) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", LUNCH)
    before = bench.everything()
    answer = await bench.ask("POST", f"{path}/{rest}", {**LUNCH, **changes}, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


@pytest.mark.parametrize("lacking", ["reason", "author"])
@pytest.mark.parametrize("rest", ["halts", "resume"])
async def test_who_and_why_must_be_said(bench: Bench, rest: str, lacking: str) -> None:
    path = await bench.made()
    given = {name: value for name, value in LUNCH.items() if name != lacking}
    answer = await bench.ask("POST", f"{path}/{rest}", given, status=400)
    assert answer["error"].startswith(f"{lacking}: missing is not a text of 1 to ")
