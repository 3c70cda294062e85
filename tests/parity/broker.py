"""A paper broker in memory at the fixed market's prices, which can be told to fail."""

from decimal import Decimal
from typing import Any

from shared.broker.account import Account
from shared.broker.base import Broker, CandleLike, Order, OrderRequest, OrdersQuery
from shared.broker.memory_books import MemoryBooks
from shared.broker.opening import new_account, rules_of
from shared.broker.paper import PaperBroker
from shared.broker.service import BrokerService
from shared.clock import Clock
from shared.market.base import Market
from shared.market_prices import MarketPrices
from shared.settings import BrokerSettings
from tests.parity.case import BrokerFails, CandleTrades

SETTINGS = BrokerSettings(balances={"USD": Decimal(100_000)}, fee_rate=Decimal("0.001"), slippage_rate=Decimal(0))


class WorldBroker:
    """A world's broker: an account of 100,000 USD, a fee of a thousandth, and no slippage."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self._books = MemoryBooks(new_account(SETTINGS))
        self.paper = PaperBroker(prices=MarketPrices(market), books=self._books, rules=rules_of(SETTINGS))
        self._clock = clock
        self._failing: Any = FailingBroker(self.paper)
        self.service = BrokerService(self._failing)

    @property
    def account(self) -> Account:
        return self._books.account()

    def orders(self) -> tuple[Order, ...]:
        """Oldest first."""
        return self._books.orders(OrdersQuery(limit=10_000))[::-1]

    def place(self, request: OrderRequest) -> Order:
        return self.paper.place(request, at=self._clock.now())

    def cancel(self, order_id: str) -> Order:
        return self.paper.cancel(order_id, at=self._clock.now())

    def fails(self, fault: BrokerFails) -> None:
        self._failing.fault = fault

    def meet(self, trades: CandleTrades) -> None:
        """Resting orders are filled at their limits."""
        at = self._clock.now()
        candle: CandleLike = _Candle(timestamp=at, price=Decimal(trades.price))
        self.paper.on_candle("BTC-USD", candle, at=at)


class _Candle:
    def __init__(self, *, timestamp: Any, price: Decimal) -> None:
        self.timestamp = timestamp
        self.low = self.high = self.close = price


class FailingBroker:
    """Raises what it is told to: at once, or once the call has had its effect."""

    def __init__(self, whole: Broker) -> None:
        self._whole = whole
        self.fault = BrokerFails(None)

    def __getattr__(self, name: str) -> Any:
        fault = self.fault
        if fault.error is None or fault.only not in (None, name.removesuffix("_async")):
            return getattr(self._whole, name)
        if not fault.afterwards:
            raise fault.error.with_traceback(None)
        called = getattr(self._whole, name.removesuffix("_async"))

        def fails(*arguments: Any, **options: Any) -> Any:
            called(*arguments, **options)
            assert fault.error is not None
            raise fault.error.with_traceback(None)

        return fails
