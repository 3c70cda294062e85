from collections.abc import Iterator
from decimal import Decimal

from fastapi_app.bot.replay import ReplayStores
from shared.bot.events import Event
from shared.settings import BotSettings
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.runs import (
    BROKER,
    BTC,
    OFFICE_HOURS,
    QUICK,
    Countdown,
    Killed,
    check_books,
    mortal,
    replayed,
    told,
)
from tests.shared.strategies.markets import drifting

ALWAYS = WindowConfig(max_trades_per_day=1_000)


def settings(**changes: object) -> BotSettings:
    return BotSettings(**{"strategies": QUICK, **changes})  # type: ignore[arg-type]


async def test_a_replay_leaves_books_that_add_up() -> None:
    result = await replayed(drifting(1, length=1_500))
    check_books(result, window=OFFICE_HOURS)
    assert result.candles == 1_500
    assert result.counts["entry"] == 5  # one day, whose limit is five
    assert result.counts["DAILY_LIMIT"] > 0
    assert result.counts["OUTSIDE_HOURS"] > 0


async def test_two_runs_are_equal() -> None:
    candles = drifting(2, length=1_000)
    assert told(await replayed(candles)) == told(await replayed(candles))


async def test_how_often_it_is_saved_changes_nothing() -> None:
    candles = drifting(3, length=1_000)
    assert told(await replayed(candles, save_every=1)) == told(await replayed(candles, save_every=997))


async def test_a_run_that_is_killed_at_any_write_ends_as_if_it_had_not_been() -> None:
    """Each write of a run is once the last, before it is done and right after it."""
    symbols = ["ETH-USD", BTC]
    candles = {symbol: drifting(place + 4, length=30) for place, symbol in enumerate(symbols)}
    bot = settings(symbols=symbols, max_open_positions=2, stop_loss=Decimal("0.004"))
    expected = told(await replayed(candles, bot=bot, window=ALWAYS, save_every=20))
    assert expected["counts"]["stop"] > 0
    assert expected["counts"]["exit"] > 0
    kills = 0
    for countdown in _countdowns():
        stores = ReplayStores.in_memory(BROKER)
        try:
            await replayed(candles, bot=bot, window=ALWAYS, stores=mortal(stores, countdown), save_every=20)
        except Killed:
            kills += 1
        else:
            break
        assert told(await replayed(candles, bot=bot, window=ALWAYS, stores=stores, save_every=20)) == expected
    assert kills > 2 * 3 * len(expected["orders"])


async def test_a_run_that_is_killed_again_and_again_ends_too() -> None:
    candles = drifting(6, length=120)
    expected = told(await replayed(candles, window=ALWAYS, save_every=5))
    stores = ReplayStores.in_memory(BROKER)
    kills = 0
    while True:
        try:
            result = await replayed(candles, window=ALWAYS, stores=mortal(stores, Countdown(17)), save_every=5)
        except Killed:
            kills += 1
            assert kills < 1_000
        else:
            break
    assert kills > 5
    assert told(result) == expected


async def test_a_finished_run_that_is_begun_again_does_nothing() -> None:
    candles = drifting(7, length=300)
    stores = ReplayStores.in_memory(BROKER)
    first = await replayed(candles, stores=stores)
    again = await replayed(candles, stores=stores)
    assert again.candles == 0
    assert told(again) == told(first)


async def test_it_goes_on_with_more_candles() -> None:
    candles = drifting(8, length=1_000)
    stores = ReplayStores.in_memory(BROKER)
    await replayed(candles[:400], stores=stores)
    assert told(await replayed(candles, stores=stores)) == told(await replayed(candles))


async def test_each_refusal_and_each_trade_is_told() -> None:
    events: list[Event] = []
    result = await replayed(drifting(1, length=1_500), events=events)
    codes = [event.code for event in events]
    assert {code: codes.count(code) for code in sorted(set(codes))} == result.counts
    refused = next(event for event in events if event.code == "OUTSIDE_HOURS")
    assert "outside" in refused.text
    traded = [event.order for event in events if event.kind == "traded"]
    assert [order and order.id for order in traded] == [order["id"] for order in result.orders]


def _countdowns() -> Iterator[Countdown]:
    at = 0
    while True:
        yield Countdown(at)
        at += 1
