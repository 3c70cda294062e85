"""The trades of a window over HTTP."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import ANSWERED_TRADE, TRADE, Bench


async def test_a_trade_is_registered_and_counted(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=2)
    answer = await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    assert answer == {"trade": ANSWERED_TRADE, "trades_today": 1, "remaining_trades": 1}
    assert await bench.get(f"{path}/trades") == {"trades": [ANSWERED_TRADE], "count": 1}
    assert (await bench.get("/api/windows/default"))["trades_today"] == 0


async def test_a_keyed_trade_is_answered_again_when_the_window_is_closed_and_full(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=1, end_hour=13)
    first = await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")
    bench.at("2025-03-03T13:00:00Z")
    await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "lunch"})
    before = bench.everything()
    assert await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1") == first
    same = {**TRADE, "quantity": 0.5, "price": "64250.1000"}
    assert await bench.ask("POST", f"{path}/trades", same, status=201, key="order-1") == first
    for other in ({**TRADE, "quantity": "0.51"}, {**TRADE, "reduces": True}):
        assert await bench.ask("POST", f"{path}/trades", other, status=422, key="order-1") == {
            "error": 'Idempotency-Key: "order-1" was used for a request with another body'
        }
    refused = await bench.ask("POST", f"{path}/trades", TRADE, status=403, key="order-2")
    assert [each["code"] for each in refused["reasons"]] == ["HALTED", "OUTSIDE_HOURS", "DAILY_LIMIT"]
    assert bench.everything() == before


async def test_a_refusal_is_not_kept_under_its_key(bench: Bench) -> None:
    path = await bench.made(end_hour=12)
    await bench.ask("POST", f"{path}/trades", TRADE, status=403, key="order-1")
    await bench.ask("PUT", f"{path}/config", {"end_hour": 13})
    await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")


async def test_a_key_is_its_window_s_own(bench: Bench) -> None:
    one, other = await bench.made("one"), await bench.made("other")
    for path, number in ((one, 1), (other, 2)):
        answer = await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")
        assert answer["trade"]["id"] == f"trade-{number}"


async def test_a_trade_that_only_reduces_takes_no_slot_and_says_so(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=0, end_hour=9, cooldown_seconds=60)
    answer = await bench.ask("POST", f"{path}/trades", {**TRADE, "reduces": True}, status=201)
    reducing = {**ANSWERED_TRADE, "reduces": True}
    assert answer == {"trade": reducing, "trades_today": 0, "remaining_trades": 0}
    assert await bench.get(f"{path}/trades") == {"trades": [reducing], "count": 1}
    assert (await bench.get(f"{path}/ledger"))["entries"][0]["data"] == reducing


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"symbol": None}, "symbol: null is not a symbol such as BTC-USD"),
        ({"symbol": "btc"}, 'symbol: "btc" is not a symbol such as BTC-USD'),
        ({"side": "hold"}, 'side: "hold" is not "buy" or "sell"'),
        ({"quantity": 0}, "quantity: 0 is not a decimal greater than 0"),
        (
            {"quantity": "1e400000000000000000000"},
            'quantity: "1e400000000000000000000" is not a decimal greater than 0',
        ),
        ({"price": "-1"}, 'price: "-1" is not a decimal greater than 0'),
        ({"price": None}, "price: null is not a decimal greater than 0"),
        ({"strategy": ""}, 'strategy: "" is not a text of 1 to 64 printable characters'),
        ({"reduces": "true"}, 'reduces: "true" is not true or false'),
        ({"reduces": None}, "reduces: null is not true or false"),
        ({"more": 1}, "more: 1 is not expected: the known fields are symbol, side, quantity, price, strategy, reduces"),
    ],
    ids=str,
)
async def test_a_wrong_trade_is_not_counted(bench: Bench, changes: dict[str, Any], sentence: str) -> None:
    path = await bench.made()
    before = bench.everything()
    answer = await bench.ask("POST", f"{path}/trades", {**TRADE, **changes}, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


async def test_a_wrong_key_counts_nothing(bench: Bench) -> None:
    path = await bench.made()
    before = bench.everything()
    for key in ("", "two words", "k" * 256):
        answer = await bench.ask("POST", f"{path}/trades", TRADE, status=400, key=key)
        assert answer["error"].startswith(f'Idempotency-Key: "{key}'[:80])
        assert answer["error"].endswith(" is not 1 to 255 visible ASCII characters")
    assert bench.everything() == before


async def test_trades_are_listed_newest_first_by_day_and_symbol(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/trades", {**TRADE, "symbol": "ETH-USD"}, status=201)
    bench.at("2025-03-04T12:00:00Z")
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)

    async def ids(**query: Any) -> list[str]:
        listed = await bench.get(f"{path}/trades", **query)
        assert listed["count"] == len(listed["trades"])
        return [trade["id"] for trade in listed["trades"]]

    assert await ids() == ["trade-3", "trade-2", "trade-1"]
    assert await ids(limit=2) == ["trade-3", "trade-2"]
    assert await ids(date="2025-03-03") == ["trade-2", "trade-1"]
    assert await ids(symbol="BTC-USD") == ["trade-3", "trade-1"]
    assert await ids(symbol="BTC-USD", date="2025-03-05") == []
