"""A paper account as slow and as plain as can be: fractions, and all of its past reckoned anew for each question."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.broker.base import OrderRequest, Quote
from tests.shared.broker.markets import Candle


@dataclass
class ModelOrder:
    request: OrderRequest
    created_at: datetime
    status: str = "open"
    fill: "ModelFill | None" = None


@dataclass
class ModelFill:
    symbol: str
    bought: Fraction
    """Negative for a sale."""
    price: Fraction
    opened: Fraction = Fraction(0)
    realized: Fraction = Fraction(0)
    fee: Fraction = Fraction(0)


@dataclass
class Books:
    cash: Fraction
    realized: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)


@dataclass
class Model:
    initial: Mapping[str, Decimal]
    quantum: Fraction
    fee_rate: Fraction
    slippage_rate: Fraction
    orders: list[ModelOrder] = field(default_factory=list)
    fills: list[ModelFill] = field(default_factory=list)

    def up(self, amount: Fraction) -> Fraction:
        return math.ceil(amount / self.quantum) * self.quantum

    def down(self, amount: Fraction) -> Fraction:
        return math.floor(amount / self.quantum) * self.quantum

    def nearest(self, amount: Fraction) -> Fraction:
        return round(amount / self.quantum) * self.quantum

    def books(self) -> tuple[dict[str, Books], dict[str, tuple[Fraction, Fraction]]]:
        """By currency what there is; by symbol the quantity and its cost, both negative for a short."""
        books = {currency: Books(Fraction(amount)) for currency, amount in self.initial.items()}
        held: dict[str, tuple[Fraction, Fraction]] = {}
        for fill in self.fills:
            quantity, cost = held.get(fill.symbol, (Fraction(0), Fraction(0)))
            reduces = quantity * fill.bought < 0
            closing = Fraction(0)
            if reduces:
                closing = fill.bought if abs(fill.bought) < abs(quantity) else -quantity
            fill.opened = fill.bought - closing
            # Purchases are positive amounts, rounded up; sales negative ones, rounded "up" too, to less money.
            closing_amount, opening_amount = self.up(closing * fill.price), self.up(fill.opened * fill.price)
            released = self.nearest(cost * abs(closing) / abs(quantity)) if closing else Fraction(0)
            if closing == -quantity:
                released = cost
            fill.realized = -closing_amount - released if closing else Fraction(0)
            fill.fee = self.up((abs(closing_amount) + abs(opening_amount)) * self.fee_rate)
            book = books.setdefault(fill.symbol.split("-")[1], Books(Fraction(0)))
            book.cash -= closing_amount + opening_amount + fill.fee
            book.realized += fill.realized
            book.fees += fill.fee
            held[fill.symbol] = (quantity + fill.bought, cost - released + opening_amount)
        return books, {symbol: (quantity, cost) for symbol, (quantity, cost) in held.items() if quantity}

    def held(self, symbol: str) -> Fraction:
        return self.books()[1].get(symbol, (Fraction(0), Fraction(0)))[0]

    def worth(self, symbol: str, mark: Fraction) -> Fraction:
        return self.down(self.held(symbol) * mark)

    def available(self, currency: str, marks: Mapping[str, Fraction]) -> Fraction:
        """Equity, less what the positions are worth either way, less what open orders may take."""
        books, held = self.books()
        worths = [self.worth(symbol, marks[symbol]) for symbol in held if symbol.split("-")[1] == currency]
        equity = books[currency].cash + sum(worths) if currency in books else Fraction(0)
        return equity - sum(map(abs, worths)) - sum(self.reservations(currency), Fraction(0))

    def reservations(self, currency: str) -> list[Fraction]:
        found = []
        ahead: dict[tuple[str, str], Fraction] = {}
        for order in self.orders:
            asked = order.request
            if order.status != "open" or asked.reduces or asked.price is None:
                continue
            earlier = ahead.get((asked.symbol, asked.side), Fraction(0))
            ahead[asked.symbol, asked.side] = earlier + Fraction(asked.quantity)
            free = max(Fraction(0), self.reducible(asked) - earlier)
            opens = max(Fraction(0), Fraction(asked.quantity) - free)
            exact = opens * Fraction(asked.price)
            if asked.side == "buy":
                amount = self.up(exact) + self.up(self.up(exact) * self.fee_rate)
            else:
                amount = 2 * self.up(exact) - self.down(exact) + self.up(self.down(exact) * self.fee_rate)
            if asked.symbol.split("-")[1] == currency:
                found.append(amount)
        return found

    def reducible(self, asked: OrderRequest) -> Fraction:
        held = self.held(asked.symbol)
        return max(Fraction(0), held if asked.side == "sell" else -held)

    def place(self, asked: OrderRequest, quotes: Mapping[str, Quote], at: datetime) -> ModelOrder | str:
        """The order, or the name of the error."""
        known = next((order for order in self.orders if order.request.client_order_id == asked.client_order_id), None)
        if known is not None:
            return known if known.request == asked else "ClientOrderIdReused"
        if asked.reduces and not self.reducible(asked):
            return "NothingToReduce"
        currency = asked.symbol.split("-")[1]
        marks = {symbol: Fraction(quote.last) for symbol, quote in quotes.items()}
        quote = quotes[asked.symbol]
        buying = asked.side == "buy"
        if buying:
            market = Fraction(math.ceil(Fraction(quote.ask) * (1 + self.slippage_rate) * 10**18), 10**18)
        else:
            market = Fraction(math.floor(Fraction(quote.bid) * (1 - self.slippage_rate) * 10**18), 10**18)
        order = ModelOrder(asked, at)
        limit = None if asked.price is None else Fraction(asked.price)
        if limit is None or (limit >= Fraction(quote.ask) if buying else limit <= Fraction(quote.bid)):
            price = market if limit is None else min(limit, market) if buying else max(limit, market)
            if not self.fill(order, price, {**marks, asked.symbol: price}):
                return "InsufficientBalance"
            self.orders.append(order)
            self.drop_what_reduces_nothing()
            return order
        before = self.reservations(currency)
        self.orders.append(order)
        if (
            self.reservations(currency)[len(before) :] != [0]
            and not asked.reduces
            and (self.available(currency, marks) < 0)
        ):
            self.orders.pop()
            return "InsufficientBalance"
        return order

    def fill(self, order: ModelOrder, price: Fraction, marks: Mapping[str, Fraction]) -> bool:
        """Fills the order, which then binds nothing more, unless the account can't afford what it opens."""
        asked, status = order.request, order.status
        quantity = min(Fraction(asked.quantity), self.reducible(asked)) if asked.reduces else Fraction(asked.quantity)
        fill = ModelFill(asked.symbol, quantity if asked.side == "buy" else -quantity, price)
        self.fills.append(fill)
        order.status = "filled"
        self.books()
        if fill.opened and self.available(asked.symbol.split("-")[1], marks) < 0:
            self.fills.pop()
            order.status = status
            return False
        order.fill = fill
        return True

    def drop_what_reduces_nothing(self) -> None:
        for order in self.orders:
            if order.status == "open" and order.request.reduces and not self.reducible(order.request):
                order.status = "cancelled"

    def candle(self, symbol: str, candle: Candle, quotes: Mapping[str, Quote], at: datetime) -> list[str]:
        """The client order ids of what was filled, in order."""
        marks = {name: Fraction(quote.last) for name, quote in quotes.items()}
        filled = []
        for order in self.orders:
            asked = order.request
            if order.status != "open" or asked.symbol != symbol or asked.price is None:
                continue
            if order.created_at > candle.timestamp or order.created_at >= at:
                continue
            if candle.low > asked.price if asked.side == "buy" else candle.high < asked.price:
                continue
            price = Fraction(asked.price)
            if self.fill(order, price, {**marks, symbol: price}):
                filled.append(asked.client_order_id)
                self.drop_what_reduces_nothing()
            else:
                order.status = "cancelled"
        return filled
