"""The old class and the new one, driven with the same calls over clock steps, changes of the rules and restarts; both
are held against a model that knows nothing of either."""

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fastapi_app.trading_window_async import TradingWindowAsync
from legacy_flask.trading_window import TradingWindow
from shared.clock import FrozenClock
from shared.errors import Reason, Refused
from shared.ids import FrozenIds
from shared.ports import LivePorts, Ports
from shared.store.base import LedgerQuery
from shared.store.sqlite import SQLiteStore
from shared.window import Entry, Outcome, RegisteredTrade, Transition, WindowState
from shared.window_config import WindowConfig
from shared.wire import ConfigChange, TradeRequest, read_trades_query

SEED = {"start_hour": 9, "end_hour": 17, "max_trades_per_day": 3, "timezone": "Europe/Stockholm"}
ZONES = ("UTC", "Europe/Stockholm", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago")
STARTS = (
    datetime(2025, 3, 3, 11, tzinfo=UTC),
    datetime(2025, 3, 29, 23, 30, tzinfo=UTC),
    datetime(2025, 11, 2, 4, 30, tzinfo=UTC),
)
TRADES = (
    TradeRequest(symbol="BTC-USD", side="buy", quantity=Decimal("0.50"), price=Decimal("64250.10")),
    TradeRequest(symbol="ETH-USD", side="sell", quantity=Decimal("1e2"), price=Decimal(3), strategy="rsi"),
)


class Model:
    """What a window must do: a day that only moves forward, and how many trades it had."""

    def __init__(self) -> None:
        self.rules: dict[str, Any] = dict(SEED)
        self.day = date.min
        self.count = 0
        self.recorded: list[tuple[date, str | None]] = []
        self.turns: list[dict[str, Any]] = []
        self.tally: dict[str, Counter[str]] = {"symbol": Counter(), "side": Counter(), "strategy": Counter()}
        self.last: dict[str, datetime] = {}

    def clock(self, now: datetime) -> datetime:
        return now.astimezone(ZoneInfo(self.rules["timezone"]))

    def open(self, now: datetime) -> bool:
        return bool(self.rules["start_hour"] <= self.clock(now).hour < self.rules["end_hour"])

    def used(self, now: datetime) -> int:
        return 0 if self.clock(now).date() > self.day else self.count

    def left(self, now: datetime) -> int:
        return int(max(0, self.rules["max_trades_per_day"] - self.used(now)))

    def register(self, now: datetime, trade: TradeRequest | None) -> None:
        today = self.clock(now).date()
        if date.min < self.day < today:
            self.turns.insert(0, {"before": f"{self.day}", "after": f"{today}", "trades": self.count})
            self.tally = {"symbol": Counter(), "side": Counter(), "strategy": Counter()}
            self.last = {name: at for name, at in self.last.items() if at >= now - timedelta(days=7)}
        self.count = self.used(now) + 1
        self.day = max(self.day, today)
        symbol = trade.symbol if trade else None
        self.recorded.insert(0, (self.day, symbol))
        for name, counts in self.tally.items():
            if (value := getattr(trade, name, None)) is not None:
                counts[value] += 1
        for name in filter(None, ("*", symbol)):
            self.last[name] = max(now, self.last.get(name, now))

    def state(self) -> dict[str, Any]:
        if not self.recorded:
            return {"trade_day": None, "trades_today": 0, "halt": None}
        return {
            "trade_day": f"{self.day}",
            "trades_today": self.count,
            "halt": None,
            "tally": self.tally,
            "last_trades": {name: f"{at:%Y-%m-%dT%H:%M:%S.%f}Z" for name, at in self.last.items()},
        }


class Windows(RuleBasedStateMachine):
    """Each side has a file, a clock and ids of its own; ports are made for each call, as for each request."""

    @initialize(start=st.sampled_from(STARTS))
    def open_both(self, start: datetime) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.paths = [Path(self.folder.name) / f"{side}.sqlite3" for side in ("legacy", "native")]
        for path in self.paths:
            shutil.copy(self.empty_file, path)
        self.runner = asyncio.Runner()
        self.clock = FrozenClock(start)
        self.ids = [FrozenIds(), FrozenIds()]
        self.model = Model()
        self._open()

    def _open(self) -> None:
        self.stores = [SQLiteStore(path) for path in self.paths]
        for store in self.stores:
            store.create("default", WindowConfig.parse(SEED))
        self.library = TradingWindowAsync(SEED, store=self.stores[1], clock=self.clock)

    empty_file: Path

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.runner.close()
        self.folder.cleanup()

    def _ports(self, side: int) -> Ports:
        return LivePorts(store=self.stores[side], clock=self.clock, ids=self.ids[side]).for_request()

    @property
    def legacy(self) -> TradingWindow:
        return TradingWindow(SEED, ports=self._ports(0))

    @property
    def native(self) -> TradingWindowAsync:
        return TradingWindowAsync(ports=self._ports(1))

    @rule(trade=st.sampled_from((None, *TRADES)))
    def register(self, trade: TradeRequest | None) -> None:
        self.legacy.register_trade(trade)
        self.runner.run(self.native.register_trade(trade))
        self.model.register(self.clock.now(), trade)

    @rule(trade=st.sampled_from(TRADES))
    def try_to_register(self, trade: TradeRequest) -> None:
        now, model = self.clock.now(), self.model
        codes = [
            *(["OUTSIDE_HOURS"] if not model.open(now) else []),
            *(["DAILY_LIMIT"] if model.used(now) >= model.rules["max_trades_per_day"] else []),
        ]
        native = self.runner.run(self.native.try_register_trade(trade))
        legacy, first_reason = self._try_on_legacy(trade)

        assert [reason.code for reason in native.reasons] == codes
        # The old side never tells when a reason clears.
        assert first_reason == (replace(native.reasons[0], clears_at=None) if codes else None)
        assert legacy == native.registered
        if legacy is None:
            return
        model.register(now, trade)
        assert (legacy["trades_today"], legacy["remaining_trades"]) == (model.count, model.left(now))
        assert legacy["trade"]["trade_day"] == model.day.isoformat()

    def _try_on_legacy(self, trade: TradeRequest) -> tuple[RegisteredTrade | None, Reason | None]:
        try:
            return self.legacy.try_register_trade(trade), None
        except Refused as refusal:
            return None, refusal.reasons[0]

    @rule(
        change=st.fixed_dictionaries(
            {},
            optional={
                "start_hour": st.integers(0, 23),
                "end_hour": st.integers(0, 24),
                "max_trades_per_day": st.integers(0, 4),
            },
        )
    )
    def change_rules(self, change: dict[str, int]) -> None:
        self.model.rules |= change
        assert self.legacy.update_config(ConfigChange(**change)) == self.model.rules
        assert self.runner.run(self.native.update_config(change)).legacy_keys() == self.model.rules

    @rule(zone=st.sampled_from(ZONES))
    def change_zone(self, zone: str) -> None:
        self.model.rules["timezone"] = zone

        legacy, native = self._ports(0), self._ports(1)
        legacy.windows.apply("default", _move(legacy.new_id("move"), zone))
        self.runner.run(native.windows.apply_async("default", _move(native.new_id("move"), zone)))

    @rule(
        by=st.one_of(
            st.timedeltas(min_value=timedelta(hours=-3), max_value=timedelta(hours=3)),
            st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=3)),
            st.sampled_from([timedelta(days=1), timedelta(days=-1), timedelta(hours=1), timedelta(microseconds=-1)]),
        )
    )
    def step_clock(self, by: timedelta) -> None:
        self.clock.step(by)

    @rule(zone=st.sampled_from(ZONES), by=st.sampled_from([-1, 0, 1]))
    def step_clock_to_a_midnight(self, zone: str, by: int) -> None:
        local = self.clock.now().astimezone(ZoneInfo(zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        self.clock.set(midnight.astimezone(UTC) + timedelta(microseconds=by))

    @rule()
    def restart(self) -> None:
        for store in self.stores:
            store.close()
        self._open()

    @rule(symbol=st.sampled_from([None, "BTC-USD"]), of_this_day=st.booleans(), limit=st.integers(1, 4))
    def list_trades(self, symbol: str | None, of_this_day: bool, limit: int) -> None:
        day = self.model.day if of_this_day and self.model.recorded else None
        filters = [f"limit={limit}", *([f"date={day}"] if day else []), *([f"symbol={symbol}"] if symbol else [])]
        query = read_trades_query("&".join(filters).encode())
        listed = self.legacy.trades(query)
        assert self.runner.run(self.native.get_trades(query)) == listed
        assert [(trade["trade_day"], trade["symbol"]) for trade in listed] == [
            (trade_day.isoformat(), traded)
            for trade_day, traded in self.model.recorded
            if day in (None, trade_day) and symbol in (None, traded)
        ][:limit]

    @invariant()
    def both_answer_as_the_model(self) -> None:
        now, model = self.clock.now(), self.model
        assert self.legacy.is_within_window() == model.open(now)
        assert self.legacy.can_trade() == (model.left(now) > 0)
        assert self.legacy.get_config() == model.rules
        assert self.runner.run(self._native_answers()) == {
            "within_window": model.open(now),
            "can_trade": model.left(now) > 0,
            "trades_today": model.used(now),
            "max_trades_per_day": model.rules["max_trades_per_day"],
            "remaining_trades": model.left(now),
            "trading_hours": f"{model.rules['start_hour']}:00 - {model.rules['end_hour']}:00",
            "last_trade_date": None if model.day == date.min else model.day.isoformat(),
        }

    async def _native_answers(self) -> Any:
        state = await self.native.get_state()
        assert await self.library.get_state() == state
        assert await self.native.is_within_window() == state["within_window"]
        assert await self.native.can_trade() == state["can_trade"]
        assert await self.native.get_remaining_trades() == state["remaining_trades"]
        assert (await self.native.get_config()).legacy_keys() == self.model.rules
        return state

    @invariant()
    def both_leave_the_same(self) -> None:
        legacy, native = self.stores
        everything = LedgerQuery(limit=500)
        assert legacy.snapshot("default") == native.snapshot("default")
        ledger = legacy.ledger("default", everything)
        assert native.ledger("default", everything) == ledger
        assert legacy.snapshot("default").state == self.model.state()
        assert [entry.data for entry in ledger.entries if entry.kind == "day"] == self.model.turns
        assert [entry.sequence for entry in ledger.entries] == list(range(ledger.sequence, 0, -1))
        assert len({entry.id for entry in ledger.entries}) == len(ledger.entries)


def _move(entry_id: str, zone: str) -> Transition[None]:
    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config.changed({"timezone": zone}), state, (Entry(id=entry_id, kind="move", data={}),), None)

    return transition


def test_the_two_windows_and_the_model_agree(tmp_path: Path) -> None:
    Windows.empty_file = tmp_path / "empty.sqlite3"
    SQLiteStore(Windows.empty_file).prepare()
    run_state_machine_as_test(
        Windows,
        settings=settings(deadline=None, max_examples=settings().max_examples // 2, stateful_step_count=25),
    )
