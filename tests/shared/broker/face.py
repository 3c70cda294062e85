"""A broker through one of its two faces, so that a test is written once."""

import asyncio
from datetime import datetime
from typing import Any

from shared.broker.account import Statement
from shared.broker.base import Balance, Broker, Fill, Order, OrderRequest, OrdersQuery, Position
from tests.shared.broker.markets import BTC, MINUTE, NOON, Candle
from tests.shared.store.helpers import DEADLINE_SECONDS, in_thread

LATER = NOON + MINUTE


class Face:
    """Gives up at the deadline."""

    def __init__(self, broker: Broker, *, awaited: bool) -> None:
        self.broker = broker
        self._awaited = awaited

    async def place(self, request: OrderRequest, at: datetime = NOON) -> Order:
        placed: Order = await self._call("place", request, at=at)
        return placed

    async def cancel(self, order_id: str, at: datetime = LATER) -> Order:
        cancelled: Order = await self._call("cancel", order_id, at=at)
        return cancelled

    async def order(self, order_id: str) -> Order:
        found: Order = await self._call("order", order_id)
        return found

    async def order_by_client_id(self, client_order_id: str) -> Order | None:
        found: Order | None = await self._call("order_by_client_id", client_order_id)
        return found

    async def orders(self, **query: Any) -> tuple[Order, ...]:
        found: tuple[Order, ...] = await self._call("orders", OrdersQuery(**query))
        return found

    async def on_candle(self, met: Candle, symbol: str = BTC, at: datetime | None = None) -> tuple[Fill, ...]:
        fills: tuple[Fill, ...] = await self._call("on_candle", symbol, met, at=at or met.timestamp + MINUTE)
        return fills

    async def balances(self) -> tuple[Balance, ...]:
        found: tuple[Balance, ...] = await self._call("balances", at=LATER)
        return found

    async def positions(self) -> tuple[Position, ...]:
        found: tuple[Position, ...] = await self._call("positions", at=LATER)
        return found

    async def statements(self) -> tuple[Statement, ...]:
        found: tuple[Statement, ...] = await self._call("statements", at=LATER)
        return found

    async def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        async with asyncio.timeout(DEADLINE_SECONDS):
            if self._awaited:
                return await getattr(self.broker, f"{name}_async")(*arguments, **options)
            return await asyncio.wrap_future(in_thread(getattr(self.broker, name), *arguments, **options))
