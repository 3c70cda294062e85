from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from legacy_flask.trading_window import TradingWindow
from shared.clock import FrozenClock
from shared.errors import InvalidField, KeyReused, Refused, StoreUnavailable, UnknownWindow
from shared.ids import FrozenIds
from shared.ports import LivePorts
from shared.store.base import IdempotencyKey, LedgerQuery
from shared.store.memory import MemoryStore
from shared.window import Outcome, Transition, WindowState
from shared.window_config import WindowConfig
from shared.wire import ConfigChange, TradeRequest, TradesQuery
from tests.shared.window_configs import KNOWN_FIELDS

NOON = datetime(2025, 3, 3, 12, 0, 0, 250_000, tzinfo=UTC)
TRADE = TradeRequest(symbol="BTC-USD", side="buy", quantity=Decimal("0.50"), price=Decimal("64250.10"))
KEY = IdempotencyKey(endpoint="POST /trades", value="order-1", fingerprint="body-1")

RECORDED = {
    "id": "trade-1",
    "symbol": "BTC-USD",
    "side": "buy",
    "quantity": "0.50",
    "price": "64250.10",
    "strategy": None,
    "executed_at": "2025-03-03T12:00:00.250000Z",
    "trade_day": "2025-03-03",
}


class Bench:
    """A store on which each call is a request of its own."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FrozenClock(NOON)
        self.live_ports = LivePorts(store=self.store, clock=self.clock, ids=FrozenIds())

    def window(self, **config: Any) -> TradingWindow:
        """For one request. The first one's config is the window's."""
        self.store.create("default", WindowConfig(**config))
        return TradingWindow({}, ports=self.live_ports.for_request())

    def state(self) -> WindowState:
        return self.store.snapshot("default").state

    def halt(self, reason: str) -> None:
        self.store.apply("default", _halt(reason), instant=NOON)


def _halt(reason: str) -> Transition[None]:
    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config, {**state, "halt": {"reason": reason}}, (), None)

    return transition


@pytest.fixture
def bench() -> Bench:
    return Bench()


# by itself, as the old code used it


@time_machine.travel(NOON, tick=False)
def test_without_ports_it_keeps_its_own_count_with_the_old_defaults() -> None:
    window = TradingWindow({})
    assert window.get_config() == {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}
    assert window.is_within_window()
    for _ in range(5):
        assert window.can_trade()
        window.register_trade()
    assert not window.can_trade()
    assert TradingWindow({}).can_trade()


def test_without_ports_it_follows_the_machine_s_clock() -> None:
    window = TradingWindow({"start_hour": 9, "end_hour": 17, "max_trades_per_day": 1})
    with time_machine.travel(NOON, tick=False):
        window.register_trade()
        assert window.is_within_window()
        assert not window.can_trade()
    with time_machine.travel(datetime(2025, 3, 4, 8, 59, 59, tzinfo=UTC), tick=False):
        assert not window.is_within_window()
        assert window.can_trade()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"start_hour": 99}, "start_hour: 99 is not a whole number from 0 to 23"),
        ({"end_hour": 25}, "end_hour: 25 is not a whole number from 0 to 24"),
        ({"max_trades_per_day": -1}, "max_trades_per_day: -1 is not a whole number from 0 to 1000000"),
        ({"start_hour": float("nan")}, "start_hour: NaN is not a whole number from 0 to 23"),
        (
            {"starthour": 9},
            f"starthour: 9 is not {KNOWN_FIELDS}",
        ),
    ],
)
def test_a_wrong_config_is_refused_by_name(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        TradingWindow(config)
    assert str(caught.value) == sentence


# on the shared store


def test_the_stored_config_counts_and_not_the_given_one(bench: Bench) -> None:
    bench.store.create("default", WindowConfig(start_hour=9))
    window = TradingWindow({"start_hour": 11}, ports=bench.live_ports.for_request())
    assert window.get_config()["start_hour"] == 9
    assert bench.store.snapshot("default").version == 1


def test_a_window_that_the_store_does_not_know_is_not_made(bench: Bench) -> None:
    window = TradingWindow({}, ports=bench.live_ports.for_request())
    for call in (window.can_trade, window.is_within_window, window.register_trade, window.get_config):
        with pytest.raises(UnknownWindow):
            call()


def test_a_read_writes_nothing(bench: Bench) -> None:
    bench.window().register_trade(TRADE)
    before = bench.store.snapshot("default")
    bench.clock.step(timedelta(days=1))

    assert bench.window().can_trade()
    assert bench.window().is_within_window()
    assert bench.window().trades(TradesQuery()) == [RECORDED]
    assert bench.store.snapshot("default") == before


def test_a_request_has_one_instant_and_one_snapshot(bench: Bench) -> None:
    window = bench.window(end_hour=13, max_trades_per_day=1)
    assert window.is_within_window()
    assert window.can_trade()
    bench.clock.step(timedelta(hours=1))
    bench.window().register_trade()

    assert window.is_within_window()
    assert window.can_trade()
    assert window.trades(TradesQuery()) == []
    assert not bench.window().is_within_window()
    assert not bench.window().can_trade()


def test_a_request_sees_what_it_wrote_itself(bench: Bench) -> None:
    window = bench.window(max_trades_per_day=1)
    assert window.can_trade()
    window.register_trade(TRADE)
    assert not window.can_trade()
    assert window.trades(TradesQuery()) == [RECORDED]


# facts


def test_a_registered_trade_is_counted_and_recorded(bench: Bench) -> None:
    bench.window().register_trade(TRADE)
    assert bench.state() == {
        "trade_day": "2025-03-03",
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}},
        "last_trades": {"*": "2025-03-03T12:00:00.250000Z", "BTC-USD": "2025-03-03T12:00:00.250000Z"},
    }
    (entry,) = bench.store.ledger("default", LedgerQuery()).entries
    assert (entry.sequence, entry.id, entry.kind, entry.instant) == (1, "trade-1", "trade", NOON)
    assert (entry.trade_day, entry.symbol) == ("2025-03-03", "BTC-USD")
    assert entry.data == RECORDED


def test_a_trade_without_data_has_null_fields(bench: Bench) -> None:
    bench.window().register_trade()
    assert bench.window().trades(TradesQuery()) == [
        {
            "id": "trade-1",
            "symbol": None,
            "side": None,
            "quantity": None,
            "price": None,
            "strategy": None,
            "executed_at": "2025-03-03T12:00:00.250000Z",
            "trade_day": "2025-03-03",
        }
    ]


def test_a_fact_is_counted_past_the_limit_outside_the_hours_and_while_halted(bench: Bench) -> None:
    bench.window(start_hour=1, end_hour=2, max_trades_per_day=1).register_trade()
    bench.halt("maintenance")
    bench.window().register_trade()
    bench.window().register_trade()
    assert bench.state()["trades_today"] == 3
    assert not bench.window().can_trade()


def test_the_count_restarts_when_the_date_moves_forward_and_only_then(bench: Bench) -> None:
    bench.window(timezone="Europe/Stockholm").register_trade()
    for instant, day, count in (
        (datetime(2025, 3, 3, 22, 59, 59, tzinfo=UTC), "2025-03-03", 2),
        (datetime(2025, 3, 3, 23, 0, tzinfo=UTC), "2025-03-04", 1),
        (datetime(2025, 3, 3, 22, 59, 59, tzinfo=UTC), "2025-03-04", 2),
        (datetime(2024, 12, 31, tzinfo=UTC), "2025-03-04", 3),
        (datetime(2025, 3, 5, 12, tzinfo=UTC), "2025-03-05", 1),
    ):
        bench.clock.set(instant)
        bench.window().register_trade()
        assert (bench.state()["trade_day"], bench.state()["trades_today"]) == (day, count)


# asking and counting in one step


def test_a_slot_is_taken_and_told(bench: Bench) -> None:
    assert bench.window(max_trades_per_day=2).try_register_trade(TRADE) == {
        "trade": RECORDED,
        "trades_today": 1,
        "remaining_trades": 1,
    }


@pytest.mark.parametrize(
    ("config", "code", "sentence", "value", "bound"),
    [
        (
            {"start_hour": 13, "end_hour": 17, "max_trades_per_day": 0},
            "OUTSIDE_HOURS",
            "outside the trading window 13:00 - 17:00",
            "2025-03-03T12:00:00.250000Z",
            "13:00 - 17:00",
        ),
        ({"max_trades_per_day": 0}, "DAILY_LIMIT", "daily trade limit of 0 reached", 0, 0),
    ],
)
def test_a_refusal_tells_the_first_rule_that_fails(
    bench: Bench, config: dict[str, Any], code: str, sentence: str, value: object, bound: object
) -> None:
    with pytest.raises(Refused) as caught:
        bench.window(**config).try_register_trade(TRADE)
    (reason,) = caught.value.reasons
    assert (reason.code, reason.sentence, reason.value, reason.bound) == (code, sentence, value, bound)
    assert bench.store.ledger("default", LedgerQuery()).sequence == 0
    assert bench.state()["trades_today"] == 0


def test_a_halted_window_refuses(bench: Bench) -> None:
    bench.window(start_hour=13).get_config()
    bench.halt("maintenance")
    with pytest.raises(Refused, match=r"^halted: maintenance$") as caught:
        bench.window().try_register_trade(TRADE)
    assert [reason.code for reason in caught.value.reasons] == ["HALTED", "OUTSIDE_HOURS"]


def test_a_key_is_answered_once_and_again(bench: Bench) -> None:
    first = bench.window(max_trades_per_day=1).try_register_trade(TRADE, key=KEY)
    bench.clock.step(timedelta(days=1))
    assert bench.window().try_register_trade(TRADE, key=KEY) == first
    other = IdempotencyKey(endpoint=KEY.endpoint, value=KEY.value, fingerprint="body-2")
    with pytest.raises(KeyReused):
        bench.window().try_register_trade(TRADE, key=other)
    assert bench.state()["trades_today"] == 1


# the rules


def test_a_change_of_the_rules_is_recorded_and_in_force(bench: Bench) -> None:
    after = bench.window().update_config(ConfigChange(end_hour=12))
    assert after == {"start_hour": 0, "end_hour": 12, "max_trades_per_day": 5, "timezone": "UTC"}
    assert bench.window().get_config() == after
    assert not bench.window().is_within_window()
    (entry,) = bench.store.ledger("default", LedgerQuery()).entries
    assert (entry.id, entry.kind) == ("config-1", "config")
    assert entry.data == {
        "before": {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"},
        "after": after,
    }


def test_a_change_that_changes_nothing_is_not_recorded(bench: Bench) -> None:
    bench.window().update_config(ConfigChange())
    bench.window().update_config(ConfigChange(end_hour=24))
    assert bench.store.snapshot("default").version == 1
    assert bench.store.ledger("default", LedgerQuery()).sequence == 0


def test_a_store_that_cannot_answer_is_no_silent_yes() -> None:
    class Gone(MemoryStore):
        def snapshot(self, window_id: str) -> Any:
            raise StoreUnavailable(f"no disk for {window_id}")

    window = TradingWindow({}, ports=LivePorts(store=Gone()).for_request())
    for call in (window.can_trade, window.is_within_window, window.register_trade, window.get_config):
        with pytest.raises(StoreUnavailable):
            call()
