"""Where a paper broker keeps its account and orders: what every backend promises."""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from shared.broker.account import Account
from shared.broker.base import Order, OrdersQuery
from shared.broker.matching import Change

T = TypeVar("T")

_ORDER_ID = re.compile(r"paper-([1-9][0-9]{0,17})")


class FindOrder(Protocol):
    """Looks for orders, closed ones too, as they are at one point of the account's history."""

    def order(self, order_id: str) -> Order | None: ...

    def order_by_client_id(self, client_order_id: str) -> Order | None: ...


Step = Callable[[Account, FindOrder], tuple[Change | None, T]]
"""A pure step: from the account as it is, to what has to be written (None for nothing) and what to tell the caller. It
refuses by raising, which writes nothing."""


class Books(FindOrder, Protocol):
    """One account and its orders, durable. Two faces, threads and StoreUnavailable as in Broker. The account is the
    one that the books were given until the first change; from then on it is what was written."""

    def account(self) -> Account:
        """As of the newest durable change. Cheap: microseconds where nothing has changed."""
        ...

    async def account_async(self) -> Account: ...

    async def order_async(self, order_id: str) -> Order | None: ...

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None: ...

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]:
        """Newest first."""
        ...

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]: ...

    def change(self, step: Step[T]) -> T:
        """Runs the step on the account as it is, writes its change atomically and durably, then answers."""
        ...

    async def change_async(self, step: Step[T]) -> T:
        """As `change`. A caller that is cancelled once its step is handed over doesn't undo it."""
        ...

    def close(self) -> None: ...


def order_id_of(number: int) -> str:
    """The id of the account's order of this number, from 1: the same orders have the same ids in each run."""
    return f"paper-{number}"


def number_of(order_id: str) -> int | None:
    """None for what is no id of a paper order."""
    found = _ORDER_ID.fullmatch(order_id)
    return int(found[1]) if found else None
