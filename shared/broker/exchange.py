"""The exchange broker: real orders, or those of an exchange's sandbox, through ccxt."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from shared.broker.base import Balance, CandleLike, Fill, Order, OrderRequest, OrdersQuery, Position
from shared.broker.exchange_account import ExchangeAccount, Prepared
from shared.broker.exchange_orders import same
from shared.clock import aware
from shared.errors import (
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientBalance,
    OrderClosed,
    OutcomeUnknown,
    TradingWindowError,
    UnknownOrder,
)
from shared.exchange_client import Call, ExchangeClient

T = TypeVar("T")
Steps = Generator[tuple[Literal["read", "once"], Call[Any]], Any, T]
"""What is asked of the client, one after the other, and how; and what comes of it."""

SETTLES_AFTER_SECONDS = 10.0
"""How long after it was sent an order may still come in. Binance drops what is older than `recvWindow` (5 seconds, in
`shared.exchange_client`) when it gets to it, by its own clock, from which the sender's may differ by a second."""

_READS_BEFOREHAND = 5
"""How many reads a request may wait for, one after the other, from its instant until its order is sent: whether there
is an order of its key, what it reduces, whether a twin has come in, what the market takes, what the markets are."""

_MAY_BE_A_TWIN = ("DuplicateOrderId", "InvalidOrder", "InsufficientFunds")
"""How an order is refused that another process has placed under this client order id: Binance says InvalidOrder of one
that is open, as of any order that it doesn't take, and of one that has taken the money that there is too little."""


class ExchangeBroker:
    """A Broker on an exchange's spot account. It keeps nothing: what the exchange says is so.

    An order is sent once, and never again on its own. Where nobody knows what came of it, `place` raises
    OutcomeUnknown, and `order_by_client_id` finds the order, or raises that error itself until an order that isn't
    there can't come any more. `place` of a client order id that the exchange knows gives that order.

    A spot account has no shorts. A position is what own fills of a symbol have bought, as far as the account still has
    it: coins that came in another way are none, and nor is what is too little to be sold. Such coins stand in the
    balances under their own currency; a position's worth is in the total of its quote currency, as in Balance.
    """

    knows_at_once = False
    """Whether an order that it doesn't know isn't on its way to it either."""

    def __init__(
        self, client: ExchangeClient, symbols: Sequence[str], *, settle_seconds: float = SETTLES_AFTER_SECONDS
    ) -> None:
        self._client = client
        self.money = f"the account at {client.source}"
        self.settles_after_seconds = _READS_BEFOREHAND * client.read_timeout_seconds + (
            2 * client.request_timeout_seconds + settle_seconds  # its turn, and its sending
        )
        self._account = ExchangeAccount(client.source, symbols, settle_seconds=settle_seconds)

    def place(self, request: OrderRequest, *, at: datetime) -> Order:
        aware(at)
        return self._run(self._placing(request))

    async def place_async(self, request: OrderRequest, *, at: datetime) -> Order:
        aware(at)
        return await self._run_async(self._placing(request))

    def cancel(self, order_id: str, *, at: datetime) -> Order:
        aware(at)
        return self._run(self._cancelling(order_id))

    async def cancel_async(self, order_id: str, *, at: datetime) -> Order:
        aware(at)
        return await self._run_async(self._cancelling(order_id))

    def on_candle(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]:  # noqa: ARG002
        """The exchange fills orders by itself."""
        return ()

    async def on_candle_async(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]:  # noqa: ARG002
        return ()

    def order(self, order_id: str) -> Order:
        return self._run(self._known(order_id))

    async def order_async(self, order_id: str) -> Order:
        return await self._run_async(self._known(order_id))

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        return self._client.read(lambda exchange: self._account.by_client_id(exchange, client_order_id))

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None:
        return await self._client.read_async(lambda exchange: self._account.by_client_id(exchange, client_order_id))

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]:
        return self._client.read(lambda exchange: self._account.orders(exchange, query))

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]:
        return await self._client.read_async(lambda exchange: self._account.orders(exchange, query))

    def balances(self, *, at: datetime) -> tuple[Balance, ...]:
        aware(at)
        return self._client.read(self._account.balances)

    async def balances_async(self, *, at: datetime) -> tuple[Balance, ...]:
        aware(at)
        return await self._client.read_async(self._account.balances)

    def positions(self, *, at: datetime) -> tuple[Position, ...]:
        aware(at)
        return self._client.read(self._account.positions)

    async def positions_async(self, *, at: datetime) -> tuple[Position, ...]:
        aware(at)
        return await self._client.read_async(self._account.positions)

    def close(self) -> None:
        """Lets go of the client, too."""
        self._client.close()

    def _placing(self, request: OrderRequest) -> Steps[Order]:
        try:
            prepared: Order | Prepared = yield "read", lambda exchange: self._account.prepare(exchange, request)
        except (ExchangeRefused, ExchangeUnavailable) as exc:
            if self._account.has_sent(request.client_order_id):
                raise OutcomeUnknown(exc.problem) from exc
            raise
        if isinstance(prepared, Order):
            return prepared
        try:
            placed: Order = yield "once", lambda exchange: self._account.send(exchange, prepared)
        except ExchangeRefused as exc:
            refused = exc
        else:
            return placed
        if refused.kind in _MAY_BE_A_TWIN:
            twin = yield from self._twin(request)
            if twin is not None:
                return twin
        if refused.kind == "InsufficientFunds":
            yield from self._too_little(request, refused)
        raise refused

    def _too_little(self, request: OrderRequest, refused: ExchangeRefused) -> Steps[None]:
        """Raises what says more, where that can be had."""
        try:
            told: InsufficientBalance = yield "read", lambda exchange: self._account.too_little(exchange, request)
        except (ExchangeRefused, ExchangeUnavailable):
            return
        raise told from refused

    def _twin(self, request: OrderRequest) -> Steps[Order | None]:
        cid = request.client_order_id
        try:
            order: Order | None = yield "read", lambda exchange: self._account.by_client_id(exchange, cid)
        except (ExchangeRefused, ExchangeUnavailable) as exc:
            raise OutcomeUnknown(exc.problem) from exc
        return None if order is None else same(order, request)

    def _cancelling(self, order_id: str) -> Steps[Order]:
        order = yield from self._known(order_id)
        if order.status != "open":
            raise OrderClosed(order_id, order.status)
        try:
            cancelled: Order = yield "once", lambda exchange: self._account.cancelled(exchange, order)
        except (ExchangeRefused, OutcomeUnknown) as exc:
            failed = exc
        else:
            return cancelled
        try:
            now = yield from self._known(order_id)
        except (ExchangeRefused, ExchangeUnavailable):
            raise failed from None
        if now.status == "open":
            raise failed
        if now.status == "cancelled":  # aiohttp sends a DELETE again by itself, and the second one is refused
            return now
        raise OrderClosed(order_id, now.status) from failed

    def _known(self, order_id: str) -> Steps[Order]:
        order: Order | None = yield "read", lambda exchange: self._account.order(exchange, order_id)
        if order is None:
            raise UnknownOrder(order_id)
        return order

    def _run(self, steps: Steps[T]) -> T:
        ask = {"read": self._client.read, "once": self._client.once}
        try:
            how, call = next(steps)
            while True:
                try:
                    answer = ask[how](call)
                except TradingWindowError as exc:
                    how, call = steps.throw(exc)
                else:
                    how, call = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _run_async(self, steps: Steps[T]) -> T:
        ask = {"read": self._client.read_async, "once": self._client.once_async}
        try:
            how, call = next(steps)
            while True:
                try:
                    answer = await ask[how](call)
                except TradingWindowError as exc:
                    how, call = steps.throw(exc)
                else:
                    how, call = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
