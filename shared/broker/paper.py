"""The paper broker: a real market's prices, an account on paper."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from shared.broker.account import Account, Statement, quote_currency
from shared.broker.base import Balance, CandleLike, Fill, Order, OrderRequest, OrdersQuery, Position, PriceSource, Quote
from shared.broker.books import Books, FindOrder, Step, order_id_of
from shared.broker.matching import Change, cancel, meet, met_orders, place
from shared.broker.money import PaperRules
from shared.clock import aware
from shared.errors import ClientOrderIdReused, UnknownOrder

T = TypeVar("T")


class PaperBroker:
    """A Broker that trades at the prices of a PriceSource and keeps its account in Books.

    `shared.broker.matching` says what is filled and when, `account` what may be placed, `money` what is rounded.
    Instants are arguments: the same calls have the same outcome, also for who resumes.
    """

    money = "paper money"
    knows_at_once = True
    """Whether an order that it doesn't know isn't on its way to it either."""

    settles_after_seconds = 0.0

    def __init__(self, *, prices: PriceSource, books: Books, rules: PaperRules) -> None:
        self._prices = prices
        self._books = books
        self._rules = rules

    def place(self, request: OrderRequest, *, at: datetime) -> Order:
        at = aware(at)
        order, quotes = self._books.order_by_client_id(request.client_order_id), _Quotes()
        while order is None:
            quotes |= self._quotes(_lacking(self._books.account(), request.symbol, quotes), at)
            order = self._books.change(self._placing(request, quotes, at))
        return _same(order, request)

    async def place_async(self, request: OrderRequest, *, at: datetime) -> Order:
        at = aware(at)
        order, quotes = await self._books.order_by_client_id_async(request.client_order_id), _Quotes()
        while order is None:
            account = await self._books.account_async()
            quotes |= await self._quotes_async(_lacking(account, request.symbol, quotes), at)
            order = await self._books.change_async(self._placing(request, quotes, at))
        return _same(order, request)

    def cancel(self, order_id: str, *, at: datetime) -> Order:
        return self._books.change(_cancelling(order_id, aware(at)))

    async def cancel_async(self, order_id: str, *, at: datetime) -> Order:
        return await self._books.change_async(_cancelling(order_id, aware(at)))

    def on_candle(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]:
        """Fills the resting orders that the candle meets, and answers with their fills, each once. `at` is the instant
        at which the candle is handed over: its end, or later. Where nothing is met, nothing is written."""
        at, fills, quotes = aware(at), None, _Quotes()
        while fills is None:
            account = self._books.account()
            if not met_orders(account, symbol, candle, at=at):
                return ()
            quotes |= self._quotes(_lacking(account, symbol, quotes, own=False), at)
            fills = self._books.change(self._meeting(symbol, candle, quotes, at))
        return fills

    async def on_candle_async(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]:
        at, fills, quotes = aware(at), None, _Quotes()
        while fills is None:
            account = await self._books.account_async()
            if not met_orders(account, symbol, candle, at=at):
                return ()
            quotes |= await self._quotes_async(_lacking(account, symbol, quotes, own=False), at)
            fills = await self._books.change_async(self._meeting(symbol, candle, quotes, at))
        return fills

    def order(self, order_id: str) -> Order:
        return _known(self._books.order(order_id), order_id)

    async def order_async(self, order_id: str) -> Order:
        return _known(await self._books.order_async(order_id), order_id)

    def order_by_client_id(self, client_order_id: str) -> Order | None:
        return self._books.order_by_client_id(client_order_id)

    async def order_by_client_id_async(self, client_order_id: str) -> Order | None:
        return await self._books.order_by_client_id_async(client_order_id)

    def orders(self, query: OrdersQuery) -> tuple[Order, ...]:
        return self._books.orders(query)

    async def orders_async(self, query: OrdersQuery) -> tuple[Order, ...]:
        return await self._books.orders_async(query)

    def balances(self, *, at: datetime) -> tuple[Balance, ...]:
        return self._valued(Account.balances, at)

    async def balances_async(self, *, at: datetime) -> tuple[Balance, ...]:
        return await self._valued_async(Account.balances, at)

    def positions(self, *, at: datetime) -> tuple[Position, ...]:
        return self._valued(Account.positions, at)

    async def positions_async(self, *, at: datetime) -> tuple[Position, ...]:
        return await self._valued_async(Account.positions, at)

    def statements(self, *, at: datetime) -> tuple[Statement, ...]:
        """The account's books by currency, which add up exactly."""
        return self._valued(Account.statements, at)

    async def statements_async(self, *, at: datetime) -> tuple[Statement, ...]:
        return await self._valued_async(Account.statements, at)

    def close(self) -> None:
        self._books.close()

    def _placing(self, request: OrderRequest, quotes: Mapping[str, Quote], at: datetime) -> Step[Order | None]:
        """Answers None where a quote is lacking: another caller has opened a position meanwhile."""

        def step(account: Account, find: FindOrder) -> tuple[Change | None, Order | None]:
            known = find.order_by_client_id(request.client_order_id)
            if known is not None:
                return None, known
            if _lacking(account, request.symbol, quotes):
                return None, None
            order_id = order_id_of(account.orders_placed + 1)
            change = place(account, request, order_id=order_id, quotes=quotes, at=at, rules=self._rules)
            return change, change.orders[0]

        return step

    def _meeting(
        self, symbol: str, candle: CandleLike, quotes: Mapping[str, Quote], at: datetime
    ) -> Step[tuple[Fill, ...] | None]:
        """Answers None where a quote is lacking."""

        def step(account: Account, _find: FindOrder) -> tuple[Change | None, tuple[Fill, ...] | None]:
            if _lacking(account, symbol, quotes, own=False):
                return None, None
            change = meet(account, symbol, candle, marks=_last_prices(quotes), at=at, rules=self._rules)
            return change, change.fills

        return step

    def _valued(self, question: Callable[[Account, Mapping[str, Decimal], PaperRules], T], at: datetime) -> T:
        account = self._books.account()
        return question(account, _last_prices(self._quotes(account.holdings, aware(at))), self._rules)

    async def _valued_async(
        self, question: Callable[[Account, Mapping[str, Decimal], PaperRules], T], at: datetime
    ) -> T:
        account = await self._books.account_async()
        quotes = await self._quotes_async(account.holdings, aware(at))
        return question(account, _last_prices(quotes), self._rules)

    def _quotes(self, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return {symbol: self._prices.quote(symbol, at) for symbol in symbols}

    async def _quotes_async(self, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return {symbol: await self._prices.quote_async(symbol, at) for symbol in symbols}


_Quotes = dict[str, Quote]


def _lacking(account: Account, symbol: str, quotes: Mapping[str, Quote], *, own: bool = True) -> list[str]:
    """The symbols whose quotes are needed to judge an order: its own, and the shorts of its currency."""
    needed = {*account.shorts(quote_currency(symbol))} - {symbol}
    return sorted((needed | {symbol} if own else needed) - quotes.keys())


def _cancelling(order_id: str, at: datetime) -> Step[Order]:
    def step(account: Account, find: FindOrder) -> tuple[Change, Order]:
        change = cancel(account, _known(find.order(order_id), order_id), at=at)
        return change, change.orders[0]

    return step


def _known(order: Order | None, order_id: str) -> Order:
    if order is None:
        raise UnknownOrder(order_id)
    return order


def _same(order: Order, request: OrderRequest) -> Order:
    if order.request() != request:
        raise ClientOrderIdReused(request.client_order_id)
    return order


def _last_prices(quotes: Mapping[str, Quote]) -> dict[str, Decimal]:
    return {symbol: quote.last for symbol, quote in quotes.items()}
