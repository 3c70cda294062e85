"""Whatever comes in between, step by step: an order that was filled has one trade, and no slot is lost or given twice.

Two or three requests of one key on either side, reconciliations and cancellations take turns at each call of store and
broker; processes crash, the store fails, answers are lost, halts come and go, and what is late is given up.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastapi_app import orders as native
from legacy_flask.orders import Orders as LegacyOrders
from legacy_flask.trading_window import TradingWindow
from shared.broker.service import BrokerService
from shared.errors import TradingWindowError
from shared.ids import FrozenIds
from shared.ports import LivePorts
from shared.store.memory import MemoryStore
from shared.wire import read_idempotency_key
from shared.wire_orders import PLACE_ORDER
from tests.parity.arms import World
from tests.parity.case import At, CandleTrades, Case, HaltedBy
from tests.parity.desk import BUY, REST, Side
from tests.parity.interleaved import Interleaved, at_once

FAULTS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "crashes": frozenset({"crashes"}),
    "a store that fails": frozenset({"store_fails"}),
    "answers that are lost": frozenset({"lost"}),
    "halts": frozenset({"halts"}),
    "give-ups": frozenset({"gives_up"}),
    "all but give-ups": frozenset({"crashes", "store_fails", "lost", "halts"}),
    "give-ups and halts": frozenset({"gives_up", "halts"}),
    "give-ups and a store that fails": frozenset({"gives_up", "store_fails"}),
    "all": frozenset({"crashes", "store_fails", "lost", "halts", "gives_up"}),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_an_order_that_was_filled_has_one_trade(faults: frozenset[str], seed: int) -> None:
    trading = _Trading(seed, faults)
    trading.play()
    trading.calm_down()
    left = trading.world.left()
    filled = [order for order in left.orders if order.filled_quantity]
    trades = [entry.data["quantity"] for entry in left.ledger.entries if entry.kind == "trade"]
    told = "\n".join([f"seed {seed}", *trading.turns.story])
    assert len(left.orders) <= 1, told
    assert trades == [str(order.filled_quantity) for order in filled], told
    assert left.window.state.get("permits", {}) == {}, told
    assert left.window.state["trades_today"] == len(trades), told
    ids = [entry.id for entry in left.ledger.entries]
    assert len(set(ids)) == len(ids), told


class _Trading:
    """One order under one key, and all who have to do with it."""

    def __init__(self, seed: int, faults: frozenset[str]) -> None:
        random = Random(seed)
        self._random = random
        self._order = random.choice([BUY, REST])
        config: dict[str, Any] = {
            "max_trades_per_day": random.choice([1, 3]),
            "in_doubt_after_seconds": 30,
            "confirm_while_halted": random.random() < 0.5,
        }
        self.world = World(Case(name="interleaved", steps=(), config=config), MemoryStore())
        self.turns = Interleaved(
            random,
            **{fault: fault in faults for fault in ("crashes", "store_fails", "lost")},
        )
        broker: Any = BrokerService(self.turns.broker(self.world.broker.paper))
        self._ports = LivePorts(
            store=self.turns.store(self.world.store),
            clock=self.world.clock,
            ids=FrozenIds(),
            services={"broker": broker},
        )
        self._key = read_idempotency_key("one", endpoint=PLACE_ORDER, request=self._order)
        self._minute = 0
        if "gives_up" in faults:
            for _ in range(2):
                self.turns.in_between("it is a minute later", self._wait)
        if "halts" in faults:
            self.turns.in_between("a halt", lambda: self.world.meet(HaltedBy("maintenance")))
            self.turns.in_between("the halt ends", lambda: self.world.meet(HaltedBy(None)))
        if self._order is REST and random.random() < 0.5:
            self.turns.in_between("the order is filled", lambda: self.world.meet(CandleTrades("63000")))

    def play(self) -> None:
        for number in range(self._random.choice([2, 3])):
            side = self._side()
            self.turns.add(f"request {number} ({side})", lambda side=side: self._send(side))  # type: ignore[misc]
        for number in range(self._random.choice([1, 2])):
            self.turns.add(f"reconciliation {number}", self._reconcile_twice)
        if self._order is REST and self._random.random() < 0.5:
            side = self._side()
            self.turns.add(f"cancellation ({side})", lambda: self._cancel(side))
        self.turns.run()

    def calm_down(self) -> None:
        """Nothing fails any more, time goes on, the order is filled or cancelled, and the key is used once more."""
        self.world.meet(HaltedBy(None))
        self._wait()
        self._wait()
        if self._random.random() < 0.5:
            self.world.meet(CandleTrades("63000"))
        self._end_what_rests()
        self._send(self._side())
        self._end_what_rests()

    def _side(self) -> Side:
        return self._random.choice(["legacy", "native"])

    def _wait(self) -> None:
        self._minute += 1
        self.world.meet(At(f"2025-03-03T12:{self._minute:02}:00Z"))

    def _send(self, side: Side) -> None:
        ports = self._ports.for_request()
        try:
            if side == "native":
                at_once(native.place_order(ports, self._order, key=self._key))
            else:
                LegacyOrders(ports, TradingWindow({}, ports=ports)).place(self._order, key=self._key)
        except TradingWindowError as error:
            self.turns.story.append(f"  raised {error}")

    def _cancel(self, side: Side) -> None:
        ports = self._ports.for_request()
        try:
            if side == "native":
                at_once(native.cancel(ports, "paper-1"))
            else:
                LegacyOrders(ports, TradingWindow({}, ports=ports)).cancel("paper-1")
        except TradingWindowError as error:
            self.turns.story.append(f"  raised {error}")

    def _reconcile_twice(self) -> None:
        for _ in range(2):
            try:
                at_once(native.reconcile(self._ports.for_request()))
            except TradingWindowError as error:
                self.turns.story.append(f"  raised {error}")

    def _end_what_rests(self) -> None:
        if any(order.status == "open" for order in self.world.broker.orders()):
            self._cancel("native")
        self._reconcile_twice()
