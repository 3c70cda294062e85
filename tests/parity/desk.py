"""One side's orders in a world of its own, with what happens while one is on its way."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from fastapi_app import orders as native
from legacy_flask.orders import Orders as LegacyOrders
from legacy_flask.trading_window import TradingWindow
from shared.broker.base import OrderRequest
from shared.errors import OutcomeUnknown, StoreUnavailable
from shared.store.base import IdempotencyKey
from shared.store.memory import MemoryStore
from shared.window import Permit
from shared.wire import read_idempotency_key
from shared.wire_orders import PLACE_ORDER, NewOrder, client_order_id_of, read_new_order
from tests.parity.arms import World
from tests.parity.case import At, Case
from tests.parity.case_orders import LIMIT_ORDER, MARKET_ORDER

Side = Literal["legacy", "native"]
Json = dict[str, Any]

BUY = read_new_order("application/json", MARKET_ORDER.encode())
REST = read_new_order("application/json", LIMIT_ORDER.encode())
MORE = BUY.model_copy(update={"quantity": 2 * BUY.quantity})
GONE = StoreUnavailable("the disk is gone")
LOST = OutcomeUnknown("the connection was lost")


def nothing() -> None:
    """What happens in between, unless a test says more."""


def give_up(desk: "Desk") -> None:
    """Another process reconciles, so late that what the broker doesn't know is given up."""
    desk.before = nothing
    desk.world.meet(At("2025-03-03T12:01:00Z"))
    in_another_thread(desk.reconcile)


def in_another_thread(call: Callable[[], object]) -> None:
    """Where an event loop of its own may run."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


class Desk:
    """A world whose orders one side places; `before` and `after` happen right before and after the broker has one."""

    def __init__(self, side: Side, **config: Any) -> None:
        self.before: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing
        self._side = side
        self.world = World(Case(name="a desk", steps=(), config=config), MemoryStore(), services={"broker": self})

    def __getattr__(self, method: str) -> Any:
        return getattr(self.world.broker.service, method)

    def place(self, **order: Any) -> Any:
        self.before()
        answer = self.world.broker.service.place(**order)
        self.after()
        return answer

    async def place_async(self, **order: Any) -> Any:
        return self.place(**order)

    def send(self, order: NewOrder = BUY, *, key: str | None = None) -> Json:
        ports = self.world.live_ports.for_request()
        if self._side == "native":
            return asyncio.run(native.place_order(ports, order, key=self._key(order, key)))
        return LegacyOrders(ports, TradingWindow({}, ports=ports)).place(order, key=self._key(order, key))

    def call_off(self, order_id: str) -> Json:
        ports = self.world.live_ports.for_request()
        if self._side == "native":
            return asyncio.run(native.cancel(ports, order_id))
        return LegacyOrders(ports, TradingWindow({}, ports=ports)).cancel(order_id)

    def reconcile(self) -> None:
        asyncio.run(native.reconcile(self.world.live_ports.for_request()))

    def behind_its_back(self, order: NewOrder, *, key: str) -> None:
        """Another process has placed it."""
        found = self._key(order, key)
        assert found is not None
        request: OrderRequest = order.request(client_order_id_of(found))
        self.world.broker.place(request)

    def told(self) -> list[str]:
        """The ledger, oldest first: each trade, and each step of a permit with its reason."""
        entries = reversed(self.world.left().ledger.entries)
        return [
            f"trade of {entry.data['quantity']}"
            if entry.kind == "trade"
            else f"{entry.data['status']}{': ' + entry.data['reason'] if 'reason' in entry.data else ''}"
            for entry in entries
        ]

    def permits(self) -> list[str]:
        return [permit["status"] for permit in self.open_permits()]

    def open_permits(self) -> list[Permit]:
        return [*self.world.left().window.state.get("permits", {}).values()]

    def trades_today(self) -> int:
        return self.world.left().window.state["trades_today"]

    def _key(self, order: NewOrder, key: str | None) -> IdempotencyKey | None:
        return read_idempotency_key(key, endpoint=PLACE_ORDER, request=order)
