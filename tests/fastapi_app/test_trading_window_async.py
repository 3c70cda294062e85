import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.trading_window_async import TradingWindowAsync, get_trading_window_async
from shared.clock import FrozenClock
from shared.errors import InvalidField, KeyReused, StoreUnavailable
from shared.ids import FrozenIds
from shared.ports import LivePorts
from shared.store.base import IdempotencyKey, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import Outcome, Snapshot, WindowState
from shared.window_config import WindowConfig
from shared.wire import TradeRequest, TradesQuery, read_trades_query
from tests.shared.window_configs import KNOWN_FIELDS

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
BEFORE_MIDNIGHT = datetime(2025, 3, 3, 23, 59, 59, 999_999, tzinfo=UTC)
AFTER_MIDNIGHT = datetime(2025, 3, 4, tzinfo=UTC)
DEADLINE_SECONDS = 30.0
NAMELESS: dict[str, dict[str, int]] = {"symbol": {}, "side": {}, "strategy": {}}
"""The tally of a day whose trades named nothing."""

TRADE = TradeRequest(symbol="BTC-USD", side="buy", quantity=Decimal("0.50"), price=Decimal("64250.10"))


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "state.sqlite3")
    yield store
    store.close()


# as a library


async def test_a_dictionary_makes_a_window_that_needs_no_server_and_no_database(clock: FrozenClock) -> None:
    window = TradingWindowAsync({"start_hour": 9, "end_hour": 17}, clock=clock)
    assert await window.is_within_window() is True
    assert await window.can_trade() is True
    assert await window.get_remaining_trades() == 5
    await window.register_trade()
    assert await window.get_remaining_trades() == 4
    assert await window.get_state() == {
        "within_window": True,
        "can_trade": True,
        "trades_today": 1,
        "max_trades_per_day": 5,
        "remaining_trades": 4,
        "trading_hours": "9:00 - 17:00",
        "last_trade_date": "2025-03-03",
    }


async def test_the_defaults_are_the_old_ones() -> None:
    config = await (await get_trading_window_async()).get_config()
    assert config.to_json() == {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}


async def test_each_call_of_the_factory_makes_a_window_of_its_own() -> None:
    one, other = await get_trading_window_async(), await get_trading_window_async()
    await one.register_trade()
    assert (await one.get_state())["trades_today"] == 1
    assert (await other.get_state())["trades_today"] == 0


async def test_the_factory_takes_a_config_a_store_and_a_clock(clock: FrozenClock) -> None:
    store = MemoryStore()
    window = await get_trading_window_async({"max_trades_per_day": 1}, store=store, clock=clock)
    await window.register_trade()
    assert store.snapshot("default").state == {
        "trade_day": "2025-03-03",
        "trades_today": 1,
        "halt": None,
        "tally": NAMELESS,
        "last_trades": {"*": "2025-03-03T12:00:00.000000Z"},
    }


async def test_the_store_s_own_config_wins_over_the_seed(store: Store, clock: FrozenClock) -> None:
    await TradingWindowAsync({"start_hour": 9}, store=store, clock=clock).get_config()
    later = TradingWindowAsync({"start_hour": 11}, store=store, clock=clock)
    assert (await later.get_config()).start_hour == 9


async def test_a_window_id_names_the_window(clock: FrozenClock) -> None:
    store = MemoryStore()
    one = TradingWindowAsync({"max_trades_per_day": 1}, store=store, clock=clock, window_id="one")
    other = TradingWindowAsync({"max_trades_per_day": 1}, store=store, clock=clock, window_id="other")
    await one.register_trade()
    assert await one.can_trade() is False
    assert await other.can_trade() is True


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"start_hour": 99}, "start_hour: 99 is not a whole number from 0 to 23"),
        ({"start_hour": float("nan")}, "start_hour: NaN is not a whole number from 0 to 23"),
        ({"end_hour": True}, "end_hour: true is not a whole number from 0 to 24"),
        ({"end_hour": "17"}, 'end_hour: "17" is not a whole number from 0 to 24'),
        ({"max_trades_per_day": -1}, "max_trades_per_day: -1 is not a whole number from 0 to 1000000"),
        ({"max_trades_per_day": float("nan")}, "max_trades_per_day: NaN is not a whole number from 0 to 1000000"),
        (
            {"timezone": "Mars/Base"},
            'timezone: "Mars/Base" is not a time zone of the IANA database, such as Europe/Stockholm',
        ),
        (
            {"max_trades": 5},
            f"max_trades: 5 is not {KNOWN_FIELDS}",
        ),
    ],
)
async def test_a_wrong_config_is_refused_by_name(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as at_construction:
        TradingWindowAsync(config)
    with pytest.raises(InvalidField) as by_the_factory:
        await get_trading_window_async(config)
    assert str(at_construction.value) == str(by_the_factory.value) == sentence


# days


async def test_the_state_is_right_on_the_morning_after(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync({"start_hour": 9, "end_hour": 17}, store=store, clock=clock)
    for _ in range(6):
        await window.register_trade()
    evening = await window.get_state()
    assert (evening["trades_today"], evening["remaining_trades"], evening["can_trade"]) == (6, 0, False)

    clock.set(datetime(2025, 3, 4, 8, tzinfo=UTC))
    assert await window.get_state() == {
        "within_window": False,
        "can_trade": True,
        "trades_today": 0,
        "max_trades_per_day": 5,
        "remaining_trades": 5,
        "trading_hours": "9:00 - 17:00",
        "last_trade_date": "2025-03-03",
    }
    assert store.snapshot("default").state == {
        "trade_day": "2025-03-03",
        "trades_today": 6,
        "halt": None,
        "tally": NAMELESS,
        "last_trades": {"*": "2025-03-03T12:00:00.000000Z"},
    }


async def test_a_clock_stepped_back_over_midnight_refills_nothing(store: Store) -> None:
    clock = FrozenClock(AFTER_MIDNIGHT)
    window = TradingWindowAsync({"max_trades_per_day": 2}, store=store, clock=clock)
    await window.register_trade()
    clock.set(BEFORE_MIDNIGHT)
    assert await window.get_remaining_trades() == 1
    assert (await window.try_register_trade()).allowed
    assert not (await window.try_register_trade()).allowed
    clock.set(AFTER_MIDNIGHT)
    assert not (await window.try_register_trade()).allowed
    assert store.snapshot("default").state == {
        "trade_day": "2025-03-04",
        "trades_today": 2,
        "halt": None,
        "tally": NAMELESS,
        "last_trades": {"*": "2025-03-04T00:00:00.000000Z"},
    }


async def test_instants_that_commit_out_of_order_refill_nothing(store: Store) -> None:
    clock = FrozenClock(BEFORE_MIDNIGHT)
    store.create("default", WindowConfig(max_trades_per_day=2))
    live_ports = LivePorts(store=store, clock=clock, ids=FrozenIds())
    early, earlier = live_ports.for_request(), live_ports.for_request()
    assert early.instant() == earlier.instant() == BEFORE_MIDNIGHT
    clock.set(AFTER_MIDNIGHT)

    first = await TradingWindowAsync(ports=live_ports.for_request()).try_register_trade()
    late = await TradingWindowAsync(ports=early).try_register_trade()
    later = await TradingWindowAsync(ports=earlier).try_register_trade()
    last = await TradingWindowAsync(ports=live_ports.for_request()).try_register_trade()

    assert [each.allowed for each in (first, late, later, last)] == [True, True, False, False]
    assert late.registered is not None
    assert late.registered["trade"]["executed_at"] == "2025-03-03T23:59:59.999999Z"
    assert late.registered["trade"]["trade_day"] == "2025-03-04"
    assert late.registered["trades_today"] == 2
    assert store.snapshot("default").state == {
        "trade_day": "2025-03-04",
        "trades_today": 2,
        "halt": None,
        "tally": NAMELESS,
        "last_trades": {"*": "2025-03-04T00:00:00.000000Z"},
    }


# asking and counting in one step


async def test_two_hundred_tasks_get_exactly_five_of_five(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync(store=store, clock=clock)
    answers = await asyncio.gather(*(window.try_register_trade() for _ in range(200)))
    granted = [answer.registered for answer in answers if answer.registered is not None]
    assert sorted(one["trades_today"] for one in granted) == [1, 2, 3, 4, 5]
    assert sorted(one["remaining_trades"] for one in granted) == [0, 1, 2, 3, 4]
    assert {reason.code for answer in answers for reason in answer.reasons} == {"DAILY_LIMIT"}
    assert store.ledger("default", LedgerQuery()).sequence == 5


async def test_a_refusal_names_every_rule_that_fails(clock: FrozenClock) -> None:
    window = TradingWindowAsync({"start_hour": 9, "end_hour": 12, "max_trades_per_day": 1}, clock=clock)
    await window.register_trade()
    refused = await window.try_register_trade()
    assert refused.registered is None
    assert not refused.allowed
    assert [(reason.code, reason.sentence, reason.value, reason.bound) for reason in refused.reasons] == [
        (
            "OUTSIDE_HOURS",
            "outside the trading window 9:00 - 12:00",
            "2025-03-03T12:00:00.000000Z",
            "9:00 - 12:00",
        ),
        ("DAILY_LIMIT", "daily trade limit of 1 reached", 1, 1),
    ]


async def test_a_halt_is_named_before_the_rules_that_fail_too(clock: FrozenClock) -> None:
    store = MemoryStore()
    store.create("default", WindowConfig(start_hour=13, max_trades_per_day=0))
    store.apply("default", _halt, instant=NOON)
    refused = await TradingWindowAsync(store=store, clock=clock).try_register_trade()
    assert [reason.code for reason in refused.reasons] == ["HALTED", "OUTSIDE_HOURS", "DAILY_LIMIT"]


async def test_the_symbol_of_a_halt_may_name_everything_as_the_list_of_halts_does(clock: FrozenClock) -> None:
    window = TradingWindowAsync(clock=clock)
    until = NOON + timedelta(hours=1)
    await window.halt(reason="lunch", author="ann", until=until)
    await window.halt(reason="fire", author="bob", symbol="*")
    assert {symbol: halt["reason"] for symbol, halt in (await window.get_halts()).items()} == {"*": "fire"}
    clock.set(until)
    refused = await window.try_register_trade(TRADE)
    assert [(reason.sentence, reason.bound) for reason in refused.reasons] == [("halted: fire", None)]
    ended = await window.resume(reason="out", author="bob", symbol="*")
    assert ended is not None
    assert await window.get_halts() == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"symbol": "btc-usd"}, 'symbol: "btc-usd" is not a symbol such as BTC-USD'),
        ({"reason": ""}, 'reason: "" is not a text of 1 to 200 characters'),
        ({"author": "a" * 65}, f'author: "{"a" * 65}" is not a text of 1 to 64 characters'),
        ({"until": NOON.replace(tzinfo=None)}, 'until: "2025-03-03 12:00:00" is not an instant with its offset'),
        ({"until": NOON}, 'until: "2025-03-03T12:00:00.000000Z" is not an instant after 2025-03-03T12:00:00.000000Z'),
    ],
)
async def test_a_halt_that_could_stop_nothing_is_refused_by_name(
    clock: FrozenClock, given: dict[str, Any], sentence: str
) -> None:
    window = TradingWindowAsync(clock=clock)
    with pytest.raises(InvalidField) as refusal:
        await window.halt(**{"reason": "lunch", "author": "ann", **given})
    assert str(refusal.value).startswith(sentence)
    if "until" not in given:
        with pytest.raises(InvalidField, match=f"^{next(iter(given))}: "):
            await window.resume(**{"reason": "lunch", "author": "ann", **given})
    assert await window.get_halts() == {}


async def test_a_halted_window_refuses_and_a_fact_is_counted(clock: FrozenClock) -> None:
    store = MemoryStore()
    window = TradingWindowAsync(store=store, clock=clock)
    await window.get_config()
    store.apply("default", _halt, instant=NOON)
    (reason,) = (await window.try_register_trade()).reasons
    assert (reason.code, reason.sentence) == ("HALTED", "halted: maintenance")
    await window.register_trade()
    assert (await window.get_state())["trades_today"] == 1


async def test_a_key_is_answered_once_and_again(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 1}, store=store, clock=clock)
    key = IdempotencyKey(endpoint="POST /trades", value="order-1", fingerprint="body-1")
    first = await window.try_register_trade(TRADE, key=key)
    clock.step(timedelta(days=1))
    again = await asyncio.gather(*(window.try_register_trade(TRADE, key=key) for _ in range(20)))
    assert first.allowed
    assert all(answer.registered == first.registered for answer in again)
    with pytest.raises(KeyReused):
        await window.try_register_trade(
            TRADE, key=IdempotencyKey(endpoint="POST /trades", value="order-1", fingerprint="body-2")
        )
    assert store.ledger("default", LedgerQuery()).sequence == 1


async def test_trade_data_may_be_a_dictionary_and_is_judged(clock: FrozenClock) -> None:
    window = TradingWindowAsync(clock=clock)
    given = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": 64250}
    trade = await window.register_trade(given)
    assert (trade["quantity"], trade["price"], trade["strategy"]) == ("0.50", "64250", None)
    for register in (window.register_trade, window.try_register_trade):
        with pytest.raises(InvalidField, match=r'^quantity: "-1" is not a decimal greater than 0'):
            await register({**given, "quantity": "-1"})
    assert await window.get_trades(TradesQuery()) == [trade]


async def test_trade_data_may_say_that_the_trade_only_reduces(clock: FrozenClock) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 0}, clock=clock)
    given = {"symbol": "BTC-USD", "side": "sell", "quantity": "0.50", "price": "64250", "reduces": True}
    assert (await window.decide(given)).allowed
    assert (await window.try_register_trade(given)).allowed
    assert (await window.register_trade(given))["reduces"] is True
    state = await window.get_state()
    assert state["trades_today"] == 0
    assert not (await window.try_register_trade({**given, "reduces": False})).allowed


async def test_trades_are_listed_newest_first(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync(store=store, clock=clock)
    first = await window.register_trade(TRADE)
    clock.step(timedelta(days=1))
    second = await window.register_trade()
    await window.update_config({"start_hour": 1})
    third = await window.register_trade(TRADE.model_copy(update={"symbol": "ETH-USD"}))

    assert await window.get_trades(TradesQuery()) == [third, second, first]
    assert await window.get_trades(read_trades_query(b"date=2025-03-04&limit=1")) == [third]
    assert await window.get_trades(read_trades_query(b"symbol=BTC-USD")) == [first]


async def test_a_change_of_the_rules_is_in_force_at_once_or_refused_whole(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync(store=store, clock=clock)
    assert await window.update_config({"end_hour": 12, "timezone": "UTC"}) == WindowConfig(end_hour=12)
    assert await window.is_within_window() is False
    with pytest.raises(InvalidField, match=r"^max_trades_per_day: -1 "):
        await window.update_config({"end_hour": 24, "max_trades_per_day": -1})
    assert await window.get_config() == WindowConfig(end_hour=12)
    assert store.snapshot("default").version == 2


# what is kept, and what can fail


async def test_a_restart_forgets_nothing(tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "state.sqlite3"
    key = IdempotencyKey(endpoint="POST /trades", value="order-1", fingerprint="body-1")
    store = SQLiteStore(path)
    window = TradingWindowAsync({"max_trades_per_day": 2}, store=store, clock=clock)
    first = await window.try_register_trade(TRADE, key=key)
    await window.register_trade()
    await window.update_config({"start_hour": 9})
    before = await window.get_state()
    trades = await window.get_trades(TradesQuery())
    store.close()

    store = SQLiteStore(path)
    window = TradingWindowAsync({"max_trades_per_day": 5}, store=store, clock=clock)
    assert await window.get_state() == before
    assert (before["trades_today"], before["remaining_trades"]) == (2, 0)
    assert await window.get_trades(TradesQuery()) == trades
    assert await window.get_config() == WindowConfig(start_hour=9, max_trades_per_day=2)
    assert await window.try_register_trade(TRADE, key=key) == first
    assert not (await window.try_register_trade(TRADE)).allowed
    store.close()


async def test_a_store_that_cannot_answer_is_no_silent_yes(clock: FrozenClock) -> None:
    class Gone(MemoryStore):
        def snapshot(self, window_id: str) -> Snapshot:
            raise StoreUnavailable(f"no disk for {window_id}")

    with pytest.raises(StoreUnavailable):
        await get_trading_window_async(store=Gone(), clock=clock)
    window = TradingWindowAsync(store=Gone(), clock=clock)
    calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        window.can_trade,
        window.is_within_window,
        window.get_state,
        window.register_trade,
        window.try_register_trade,
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call()


async def test_a_store_that_comes_back_is_used_again(clock: FrozenClock) -> None:
    class Absent(MemoryStore):
        gone = True

        def create(self, window_id: str, config: WindowConfig) -> Snapshot:
            if self.gone:
                raise StoreUnavailable("no disk")
            return super().create(window_id, config)

    store = Absent()
    window = TradingWindowAsync(store=store, clock=clock)
    with pytest.raises(StoreUnavailable):
        await window.can_trade()
    store.gone = False
    assert await window.can_trade()


# threads


def test_four_threads_with_a_loop_each_lose_no_count(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 100}, store=store, clock=clock)

    async def facts() -> list[str]:
        trades = await asyncio.gather(*(window.register_trade() for _ in range(50)))
        assert (await window.get_state())["trades_today"] >= 50
        return [trade["id"] for trade in trades]

    ids = [trade_id for of_thread in _in_four_threads(facts) for trade_id in of_thread]
    assert len(set(ids)) == 200
    assert store.snapshot("default").state["trades_today"] == 200
    entries = store.ledger("default", LedgerQuery(limit=500)).entries
    assert [entry.sequence for entry in reversed(entries)] == list(range(1, 201))
    assert {entry.id for entry in entries} == set(ids)


def test_four_threads_with_a_loop_each_get_exactly_the_limit(store: Store, clock: FrozenClock) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 70}, store=store, clock=clock)

    async def ask() -> list[int]:
        answers = await asyncio.gather(*(window.try_register_trade(TRADE) for _ in range(50)))
        return [answer.registered["trades_today"] for answer in answers if answer.registered]

    granted = [count for of_thread in _in_four_threads(ask) for count in of_thread]
    assert sorted(granted) == list(range(1, 71))
    assert store.snapshot("default").state["trades_today"] == 70


def test_a_window_outlives_the_loop_in_which_it_was_first_used(clock: FrozenClock) -> None:
    window = TradingWindowAsync({"max_trades_per_day": 2}, clock=clock)
    assert [asyncio.run(window.try_register_trade()).allowed for _ in range(3)] == [True, True, False]


def _halt(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
    return Outcome(config, {**state, "halt": {"reason": "maintenance"}}, (), None)


def _in_four_threads(work: Callable[[], Coroutine[Any, Any, list[Any]]]) -> list[list[Any]]:
    """What the work gave in each; the first use of the window is at the same moment in all of them."""
    barrier = threading.Barrier(4, timeout=DEADLINE_SECONDS)
    results: list[list[Any]] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            barrier.wait()
            results.append(asyncio.run(asyncio.wait_for(work(), DEADLINE_SECONDS)))
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert failures == []
    assert len(results) == 4
    return results
