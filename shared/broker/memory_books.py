"""A paper broker's books in memory: nothing survives the process. For replays, backtests and tests."""

import threading
from itertools import islice
from typing import TypeVar

from shared.broker.account import Account
from shared.broker.base import Order, OrdersQuery
from shared.broker.books import Step, number_of

T = TypeVar("T")


class MemoryBooks:
    """Books in dictionaries. One lock around each short step keeps threads and event loops apart; since the step never
    waits, an event loop takes it inline."""

    def __init__(self, account: Account) -> None:
        self._lock = threading.Lock()
        self._account = account
        self._orders: dict[int, Order] = {}
        self._numbers: dict[str, int] = {}

    def account(self) -> Account:
        return self._account

    async def account_async(self) -> Account:
        return self._account

    def order(self, order_id: str) -> Order | None:
        return self._orders.get(number_of(order_id) or 0)

    async def order_async(self, order_id: str) -> Order | None:
        return self.order(order_id)

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        return self._orders.get(self._numbers.get(client_order_id, 0))

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None:
        return self.order_by_client_id(client_order_id)

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]:
        with self._lock:
            found = (
                order
                for order in reversed(self._orders.values())
                if query.status in (None, order.status) and query.symbol in (None, order.symbol)
            )
            return tuple(islice(found, query.limit))

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]:
        return self.orders(query)

    def change(self, step: Step[T]) -> T:
        with self._lock:
            change, answer = step(self._account, self)
            if change is not None:
                for order in change.orders:
                    number = number_of(order.id) or 0
                    self._orders[number] = order
                    self._numbers[order.client_order_id] = number
                self._account = change.account
        return answer

    async def change_async(self, step: Step[T]) -> T:
        return self.change(step)

    def close(self) -> None:
        """Nothing to let go of; what was written stays readable."""
