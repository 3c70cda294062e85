"""An account at an exchange: what is asked of ccxt, and what its answers mean together.

Everything here runs on the loop of the exchange's client, and so one step at a time.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from shared.broker.account import worth
from shared.broker.base import Balance, Order, OrderRequest, OrdersQuery, Position
from shared.broker.exchange_fills import ExchangeFills
from shared.broker.exchange_orders import (
    PlacedId,
    average,
    fills,
    has_known_status,
    is_ours,
    name_at_exchange,
    number_of,
    order_of,
    parameters_of,
    same,
)
from shared.broker.exchange_rules import MarketRules
from shared.broker.money import DEFAULT_QUANTUM, EXACT, share
from shared.errors import ExchangeUnavailable, InsufficientBalance, NothingToReduce, OutcomeUnknown, UnknownSymbol
from shared.exchange_client import spot_market
from shared.exchange_errors import is_refusal, is_unknown_order

_PAGE = 1_000
"""The most orders, and the most fills, that Binance gives at once."""

_ASKED_AGAIN = 500
"""How many of the newest fills are asked for again: one that the exchange reports late is older than others."""

_REMEMBERED_SECONDS = 600.0


@dataclass(slots=True)
class _Sending:
    """What this process knows of sending one order. `sent_at` is when it stopped waiting for what comes of it."""

    begun: float
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    under_way: bool = False
    sent_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """An order that may be sent: `quantity` is what is sent, for one that reduces no more than there is."""

    request: OrderRequest
    quantity: Decimal


class ExchangeAccount:
    """`symbols` are those that are looked at: what else the account trades, or holds, is none of ours."""

    def __init__(self, source: str, symbols: Sequence[str], *, settle_seconds: float) -> None:
        self._source = source
        self._symbols = tuple(symbols)
        self._settle_seconds = settle_seconds
        self._fills = {symbol: ExchangeFills() for symbol in symbols}
        self._sendings: dict[str, _Sending] = {}

    def has_sent(self, client_order_id: str) -> bool:
        """Whether this process sends it, or has, and wasn't refused. From any thread."""
        sending = self._sendings.get(client_order_id)
        return sending is not None and (sending.under_way or sending.sent_at is not None)

    async def prepare(self, exchange: Any, request: OrderRequest) -> Order | Prepared:
        """The order, where it is there already. Raises what `Broker.place` raises for one that can't be,
        InvalidField for what the market can't take, and what `by_client_id` raises."""
        market = self._market(exchange, request.symbol)
        sending = self._begin(request.client_order_id)
        async with sending.alone:  # a twin's order that is under way is waited for
            known = await self.by_client_id(exchange, request.client_order_id)
        if known is not None:
            return same(known, request)
        rules = MarketRules.of(market, request.symbol, self._source)
        price = request.price or await self._last(exchange, market)
        rules.check(request, price=price)
        there = Decimal(0)
        if request.side == "sell":  # its profit is reckoned from what was bought before
            there = (await self._read_fills(exchange, request.symbol)).holding().quantity
        if not request.reduces:
            return Prepared(request=request, quantity=request.quantity)
        if there:
            there = min(there, (await exchange.fetch_balance())["free"].get(market["base"]) or Decimal(0))
        quantity = rules.sellable(min(there, request.quantity), price=price)
        if not quantity:
            if self.has_sent(request.client_order_id):
                raise OutcomeUnknown("a twin of the order has been sent meanwhile")
            raise NothingToReduce(request.symbol, request.side)
        return Prepared(request=request, quantity=quantity)

    async def send(self, exchange: Any, prepared: Prepared) -> Order:
        """Sends the order once, and not at all where this process has sent it and the exchange doesn't have it (yet).
        Not to be tried again."""
        request = prepared.request
        sending = self._begin(request.client_order_id)
        async with sending.alone:
            if sending.sent_at is not None:
                try:
                    known = await self.by_client_id(exchange, request.client_order_id)
                except OutcomeUnknown:
                    raise
                except Exception as exc:
                    raise OutcomeUnknown(f"it was sent before, and can't be asked for: {type(exc).__name__}") from None
                if known is not None:
                    return same(known, request)
            sending.under_way, refused = True, False
            try:
                told = await exchange.create_order(
                    self._market(exchange, request.symbol)["symbol"],
                    request.type,
                    request.side,
                    format(prepared.quantity, "f"),
                    None if request.price is None else format(request.price, "f"),
                    parameters_of(request),
                )
            except Exception as exc:
                refused = is_refusal(exc)
                raise
            finally:
                sending.under_way = False
                if not refused:
                    sending.sent_at = time.monotonic()
        return replace(self._order(exchange, told, request.symbol), client_order_id=request.client_order_id)

    async def too_little(self, exchange: Any, request: OrderRequest) -> InsufficientBalance:
        """What to say of an order for which the exchange sees too little of a currency."""
        market = self._market(exchange, request.symbol)
        needed, currency = request.quantity, market["base"]
        if request.side == "buy":
            price = request.price or await self._last(exchange, market)
            needed, currency = EXACT.multiply(needed, price), market["quote"]
        free = (await exchange.fetch_balance())["free"].get(currency) or Decimal(0)
        return InsufficientBalance(currency, format(needed, "f"), format(free, "f"))

    async def by_client_id(self, exchange: Any, client_order_id: str) -> Order | None:
        """Raises OutcomeUnknown where it isn't there and this process sends it, or has within `settle_seconds`."""
        order = await self._by_client_id(exchange, client_order_id)
        sending = self._sendings.get(client_order_id)
        if order is not None or sending is None:
            return order
        if sending.under_way:
            raise OutcomeUnknown(f"the order is under way to {self._source}")
        if sending.sent_at is not None and (passed := time.monotonic() - sending.sent_at) < self._settle_seconds:
            raise OutcomeUnknown(
                f"the order was sent {passed:.1f} seconds ago, and {self._source} doesn't know it; it may still come "
                f"in until {self._settle_seconds:g} seconds have passed"
            )
        return None

    async def order(self, exchange: Any, order_id: str) -> Order | None:
        placed = PlacedId.parsed(order_id)
        if placed is None or placed.symbol not in self._symbols:
            return None
        return await self._found(exchange, placed.symbol, placed.number)

    async def cancelled(self, exchange: Any, order: Order) -> Order:
        """Asks to cancel the order. Not to be tried again."""
        placed = PlacedId.parsed(order.id)
        assert placed is not None  # noqa: S101 - it is an order of ours
        told = await exchange.cancel_order(placed.number, self._market(exchange, placed.symbol)["symbol"])
        after = self._order(exchange, told, placed.symbol)
        # The answer has the time of the cancelling alone, and for a name the cancelling's own.
        return replace(after, client_order_id=order.client_order_id, created_at=order.created_at)

    async def orders(self, exchange: Any, query: OrdersQuery) -> tuple[Order, ...]:
        found: list[Order] = []
        for symbol in self._symbols if query.symbol is None else {query.symbol}.intersection(self._symbols):
            name = self._market(exchange, symbol)["symbol"]
            if query.status == "open":
                told = await exchange.fetch_open_orders(name)
            else:
                told = await exchange.fetch_orders(name, None, _PAGE if query.status else min(_PAGE, query.limit))
            ours = [each for each in told if is_ours(each) and has_known_status(each)]
            if any(each["filled"] for each in ours):
                await self._read_fills(exchange, symbol)
            found += [self._order(exchange, each, symbol) for each in ours]
        chosen = [order for order in found if query.status in (None, order.status)]
        chosen.sort(key=lambda order: (order.created_at, int(order.id.partition(":")[2])), reverse=True)
        return tuple(chosen[: query.limit])

    async def balances(self, exchange: Any) -> tuple[Balance, ...]:
        balance = await exchange.fetch_balance()
        total: dict[str, Decimal] = {name: amount for name, amount in balance["total"].items() if amount}
        available: dict[str, Decimal] = {name: balance["free"][name] for name in total}
        for symbol, held, price in await self._held(exchange, balance):
            market = self._market(exchange, symbol)
            base, quote = market["base"], market["quote"]
            total[base] = EXACT.subtract(total[base], held.quantity)
            total[quote] = EXACT.add(total.get(quote, Decimal(0)), worth(held.quantity, price, DEFAULT_QUANTUM))
            available.setdefault(quote, Decimal(0))
        return tuple(
            Balance(currency=name, available=min(available[name], amount), total=amount)
            for name, amount in sorted(total.items())
            if amount
        )

    async def positions(self, exchange: Any) -> tuple[Position, ...]:
        balance = await exchange.fetch_balance()
        return tuple([position for _, position, _ in await self._held(exchange, balance)])

    async def _held(self, exchange: Any, balance: Mapping[str, Any]) -> list[tuple[str, Position, Decimal]]:
        """What own fills have bought, as far as the account still has it and it isn't too little to be sold; each with
        the last price."""
        found = []
        left = dict(balance["total"])
        for symbol in sorted(self._symbols):
            market = self._market(exchange, symbol)
            base = market["base"]
            if not left.get(base):
                continue
            quantity, cost = (await self._read_fills(exchange, symbol)).holding()
            there = min(left[base], quantity)
            if there <= 0:
                continue
            price = await self._last(exchange, market)
            if not MarketRules.of(market, symbol, self._source).sellable(there, price=price):
                continue
            left[base] = EXACT.subtract(left[base], there)
            paid = share(cost, there, quantity, DEFAULT_QUANTUM)
            position = Position(
                symbol=symbol,
                side="long",
                quantity=there,
                entry_price=average(cost, quantity),
                unrealized_pnl=EXACT.subtract(worth(there, price, DEFAULT_QUANTUM), paid),
            )
            found.append((symbol, position, price))
        return found

    async def _by_client_id(self, exchange: Any, client_order_id: str) -> Order | None:
        parameters = {"clientOrderId": name_at_exchange(client_order_id)}
        for symbol in self._symbols:
            order = await self._found(exchange, symbol, None, parameters)
            if order is not None:
                return replace(order, client_order_id=client_order_id)
        return None

    async def _found(
        self, exchange: Any, symbol: str, number: str | None, parameters: Mapping[str, Any] | None = None
    ) -> Order | None:
        try:
            told = await exchange.fetch_order(number, self._market(exchange, symbol)["symbol"], parameters or {})
        except Exception as exc:
            if is_unknown_order(exc):
                return None
            raise
        if not is_ours(told):
            return None
        if not has_known_status(told):
            raise OutcomeUnknown(f"{self._source} says {told['status']} of the order, which is no status that is known")
        if told["filled"]:
            await self._read_fills(exchange, symbol)
        return self._order(exchange, told, symbol)

    def _order(self, exchange: Any, told: Mapping[str, Any], symbol: str) -> Order:
        known, market = self._fills[symbol], self._market(exchange, symbol)
        number = number_of(told)
        # In the order itself ccxt (4.5) loses the amounts of those that aren't binary floats.
        trades = exchange.parse_trades(told["info"].get("fills", []), market)
        known.add(fills(({**trade, "order": number, "side": told["side"]} for trade in trades), market))
        return order_of(told, symbol, known.costs(number))

    async def _read_fills(self, exchange: Any, symbol: str) -> ExchangeFills:
        known, market = self._fills[symbol], self._market(exchange, symbol)
        first = known.newest_but(_ASKED_AGAIN)
        while True:
            told = await exchange.fetch_my_trades(market["symbol"], None, _PAGE, {"fromId": first})
            page = list(fills(told, market))
            known.add(page)
            if len(page) < _PAGE:
                return known
            first = max(first, *(fill.trade_id for fill in page)) + 1

    async def _last(self, exchange: Any, market: Mapping[str, Any]) -> Decimal:
        last: Decimal | None = (await exchange.fetch_ticker(market["symbol"]))["last"]
        if last is None:
            raise ExchangeUnavailable(f"{self._source} has no last price for {market['symbol']}")
        return last

    def _market(self, exchange: Any, symbol: str) -> Mapping[str, Any]:
        if symbol not in self._symbols:
            raise UnknownSymbol(symbol)
        market: Mapping[str, Any] = spot_market(exchange, symbol)
        return market

    def _begin(self, client_order_id: str) -> _Sending:
        now = time.monotonic()
        for name, old in list(self._sendings.items()):
            if now - old.begun < _REMEMBERED_SECONDS:
                break
            del self._sendings[name]
        sending = self._sendings.pop(client_order_id, None) or _Sending(begun=now)
        sending.begun = now
        self._sendings[client_order_id] = sending
        return sending
