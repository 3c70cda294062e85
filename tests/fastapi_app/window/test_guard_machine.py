"""The guard in full, over permits, halts, limits, clock steps, crashes and callers at once, against a model of a few
lines that knows nothing of the code."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.clock import FrozenClock
from shared.errors import PermitConflict, Reason, UnknownPermit
from shared.store.base import Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SYMBOLS = ("BTC-USD", "ETH-USD")
OPEN = ("pending", "sent", "in_doubt")
CODES = ("OUTSIDE_HOURS", "DAILY_LIMIT", "SYMBOL_LIMIT", "COOLDOWN", "SYMBOL_COOLDOWN")
STEPS = [timedelta(seconds=seconds) for seconds in (0, 1, 29, 30, 31, 60, 119, 120, 300, 3_600, 43_200, 86_400, -45)]


@dataclass
class Slot:
    """A permit, or a trade, as a person would keep it on paper."""

    symbol: str | None
    day: str
    since: datetime
    status: str
    deadline: datetime | None = None
    reduces: bool = False


@dataclass
class Model:
    rules: dict[str, Any]
    slots: dict[str, Slot] = field(default_factory=dict)
    day: str = ""
    halts: dict[str, datetime | None] = field(default_factory=dict)

    def today(self, now: datetime) -> str:
        return max(f"{now.date()}", self.day)

    def at(self, now: datetime, slot: Slot) -> str:
        """A slot's status by then."""
        if slot.deadline and slot.deadline <= now:
            return {"pending": "expired", "sent": "in_doubt"}.get(slot.status, slot.status)
        return slot.status

    def occupied(self, now: datetime, symbol: str | None = None, day: str | None = None) -> int:
        return sum(
            self.at(now, slot) in (*OPEN, "confirmed")
            and not slot.reduces
            and slot.day == (day or self.today(now))
            and symbol in (None, slot.symbol)
            for slot in self.slots.values()
        )

    def is_cooling(self, now: datetime, seconds: int, symbol: str | None = None) -> bool:
        return seconds > 0 and any(
            slot.since + timedelta(seconds=seconds) > now
            for slot in self.slots.values()
            if self.at(now, slot) in (*OPEN, "confirmed") and not slot.reduces and symbol in (None, slot.symbol)
        )

    def codes(self, now: datetime, symbol: str, reduces: bool) -> list[str]:
        halted = ["HALTED" for name in ("*", symbol) if name in self.halts and self.holds(name, now)]
        if reduces:
            return halted
        failing = {
            "OUTSIDE_HOURS": not 9 <= now.hour < 17,
            "DAILY_LIMIT": self.occupied(now) >= self.rules["max_trades_per_day"],
            "SYMBOL_LIMIT": self.occupied(now, symbol) >= self.rules["symbol_limits"].get(symbol, 10**9),
            "COOLDOWN": self.is_cooling(now, self.rules["cooldown_seconds"]),
            "SYMBOL_COOLDOWN": self.is_cooling(now, self.rules["symbol_cooldown_seconds"], symbol),
        }
        return [*halted, *(code for code in CODES if failing[code])]

    def holds(self, name: str, now: datetime) -> bool:
        until = self.halts[name]
        return until is None or now < until

    def written(self, now: datetime) -> None:
        """What time did is told by the next write, and then a clock that goes back doesn't undo it."""
        for slot in self.slots.values():
            status = self.at(now, slot)
            if status != slot.status:
                slot.status, slot.deadline = status, None
        self.halts = {name: until for name, until in self.halts.items() if self.holds(name, now)}

    def take(self, name: str, slot: Slot, now: datetime) -> None:
        self.slots[name] = slot
        if not slot.reduces or slot.status == "confirmed":
            self.day = self.today(now)


class Guard(RuleBasedStateMachine):
    @initialize(
        durable=st.booleans(),
        limit=st.integers(0, 4),
        cooldown=st.sampled_from((0, 30)),
        symbol_cooldown=st.sampled_from((0, 120)),
        symbol_limits=st.sampled_from(({}, {"BTC-USD": 1})),
    )
    def begin(
        self, *, durable: bool, limit: int, cooldown: int, symbol_cooldown: int, symbol_limits: dict[str, int]
    ) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = FrozenClock(START)
        self.durable = durable
        config = {
            "start_hour": 9,
            "end_hour": 17,
            "max_trades_per_day": limit,
            "cooldown_seconds": cooldown,
            "symbol_cooldown_seconds": symbol_cooldown,
            "symbol_limits": symbol_limits,
            "permit_seconds": 60,
            "in_doubt_after_seconds": 120,
        }
        self.config = config
        self.model = Model(config)
        self.store: Store = MemoryStore()
        self.open()

    def open(self) -> None:
        if self.durable:
            self.store = SQLiteStore(Path(self.folder.name) / "state.sqlite3")
        self.window = TradingWindowAsync(self.config, store=self.store, clock=self.clock)

    def teardown(self) -> None:
        self.store.close()
        self.runner.close()
        self.folder.cleanup()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @rule(by=st.sampled_from(STEPS))
    def step(self, by: timedelta) -> None:
        self.clock.step(by)

    @rule()
    def crash(self) -> None:
        """Nothing is closed in order first; what was acknowledged must be there."""
        if self.durable:
            before, self.store = self.store, MemoryStore()
            self.open()
            self.runner.run(self.window.get_config())
            before.close()

    @rule(symbol=st.sampled_from(SYMBOLS), reduces=st.booleans())
    def reserve(self, symbol: str, reduces: bool) -> None:
        decision = self.runner.run(self.window.reserve({"symbol": symbol, "side": "buy", "reduces": reduces}))
        self.check_refusal(decision.reasons, symbol, reduces)
        if decision.permit is not None:
            self.note_permit(decision.permit["id"], symbol, reduces)

    @rule(symbol=st.sampled_from(SYMBOLS), callers=st.integers(2, 6))
    def reserve_at_once(self, symbol: str, callers: int) -> None:
        async def ask() -> list[Any]:
            order = {"symbol": symbol, "side": "buy"}
            return await asyncio.gather(*(self.window.reserve(order) for _ in range(callers)))

        decisions = self.runner.run(ask())
        for decision in sorted(decisions, key=lambda each: not each.allowed):
            self.check_refusal(decision.reasons, symbol, reduces=False)
            if decision.permit is not None:
                self.note_permit(decision.permit["id"], symbol, reduces=False)

    def note_permit(self, name: str, symbol: str, reduces: bool) -> None:
        now, model = self.now, self.model
        model.written(now)
        deadline = now + timedelta(seconds=60)
        model.take(name, Slot(symbol, model.today(now), now, "pending", deadline, reduces), now)

    @rule(symbol=st.sampled_from(SYMBOLS))
    def trade(self, symbol: str) -> None:
        trade = {"symbol": symbol, "side": "buy", "quantity": "1", "price": "2"}
        decision = self.runner.run(self.window.try_register_trade(trade))
        self.check_refusal(decision.reasons, symbol, reduces=False)
        if decision.registered is not None:
            self.note_trade(decision.registered["trade"]["id"], symbol)

    @rule()
    def register_a_fact(self) -> None:
        self.note_trade(self.runner.run(self.window.register_trade())["id"], None)

    def note_trade(self, name: str, symbol: str | None) -> None:
        now, model = self.now, self.model
        model.written(now)
        model.take(name, Slot(symbol, model.today(now), now, "confirmed"), now)

    @rule(data=st.data(), step=st.sampled_from(("sent", "doubt", "confirm", "release")))
    def go_on(self, data: st.DataObject, step: str) -> None:
        model, now = self.model, self.now
        names = [name for name, slot in model.slots.items() if slot.status != "confirmed"]
        name = data.draw(st.sampled_from([*names, "nobody's"]))
        steps = {
            "sent": self.window.mark_sent,
            "doubt": self.window.mark_in_doubt,
            "confirm": self.window.confirm,
            "release": self.window.release,
        }
        slot = model.slots.get(name)
        status = "unknown" if slot is None else model.at(now, slot)
        allowed = {"sent": ("pending",), "doubt": ("sent",)}.get(step, OPEN)
        error = self.error_of(steps[step](name))
        if status in allowed:
            assert error is None
        elif status == "unknown":
            assert isinstance(error, UnknownPermit)
            return
        else:
            assert isinstance(error, PermitConflict)
            assert error.status == status
            return
        assert slot is not None
        model.written(now)
        slot.status, slot.deadline = (
            {"doubt": "in_doubt", "confirm": "confirmed", "release": "released"}.get(step, "sent"),
            (now + timedelta(seconds=120) if step == "sent" else None),
        )
        if step == "confirm":
            # The cooldown runs from the trade, which may be later than the reservation, and never earlier.
            slot.since = max(slot.since, now) if slot.since <= now else now

    def error_of(self, step: Coroutine[Any, Any, Any]) -> Exception | None:
        try:
            self.runner.run(step)
        except (PermitConflict, UnknownPermit) as error:
            return error
        return None

    @rule(symbol=st.sampled_from(("*", *SYMBOLS)), seconds=st.sampled_from((None, 30, 3_600)))
    def halt(self, symbol: str, seconds: int | None) -> None:
        until = None if seconds is None else self.now + timedelta(seconds=seconds)
        named = None if symbol == "*" else symbol
        self.runner.run(self.window.halt(reason="stop", author="test", symbol=named, until=until))
        self.model.written(self.now)
        self.model.halts[symbol] = until

    @rule(symbol=st.sampled_from(("*", *SYMBOLS)))
    def resume(self, symbol: str) -> None:
        named = None if symbol == "*" else symbol
        self.runner.run(self.window.resume(reason="go", author="test", symbol=named))
        self.model.written(self.now)
        self.model.halts.pop(symbol, None)

    @rule(limit=st.integers(0, 4))
    def change_the_limit(self, limit: int) -> None:
        self.runner.run(self.window.update_config({"max_trades_per_day": limit}))
        self.model.written(self.now)
        self.model.rules["max_trades_per_day"] = limit

    def check_refusal(self, reasons: tuple[Reason, ...], symbol: str, reduces: bool) -> None:
        assert [reason.code for reason in reasons] == self.model.codes(self.now, symbol, reduces)

    @invariant()
    def every_reason_is_named_and_clears_when_it_says(self) -> None:
        for symbol in SYMBOLS:
            decision = self.runner.run(self.window.decide({"symbol": symbol, "side": "buy"}))
            assert [reason.code for reason in decision.reasons] == self.model.codes(self.now, symbol, reduces=False)
            for reason in decision.reasons:
                if reason.clears_at is not None and reason.code != "HALTED":
                    before = self.model.codes(reason.clears_at - timedelta(microseconds=1), symbol, reduces=False)
                    assert reason.code in before
                    assert reason.code not in self.model.codes(reason.clears_at, symbol, reduces=False)

    @invariant()
    def occupied_slots_are_the_model_s(self) -> None:
        summary = self.runner.run(self.window.get_state())
        assert summary["trades_today"] == self.model.occupied(self.now)

    @invariant()
    def each_permit_has_at_most_one_end(self) -> None:
        for name, slot in self.model.slots.items():
            if name.startswith("permit") or slot.status != "confirmed":
                try:
                    permit = self.runner.run(self.window.get_permit(name))
                except UnknownPermit:
                    continue
                assert permit["status"] == self.model.at(self.now, slot)


def test_the_guard_is_the_model_s(pytestconfig: pytest.Config) -> None:
    runs = pytestconfig.getoption("--guard-runs")
    run_state_machine_as_test(Guard, settings=settings(max_examples=runs, stateful_step_count=30, deadline=None))
