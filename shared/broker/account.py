"""A paper account as a value: money, holdings and open orders, and what follows from them. Pure and exact.

The account trades both ways, each symbol in its quote currency, and never more than it has: what its positions are
worth, long or short, and what its open orders may add to that, is at most its equity. A purchase takes its price
from the cash, a short sale adds its price to the cash; equity is the cash and the worth of all holdings. Nothing is
liquidated: a short that loses more than there is leaves a negative total, and nothing available.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import NamedTuple

from shared.broker.base import Balance, Order, OrderSide, Position
from shared.broker.money import EXACT, PaperRules, paid, received, share
from shared.errors import UnknownSymbol

_SHOWN_PRICE = Decimal("0.00000001")
_ZERO = Decimal(0)


class Funds(NamedTuple):
    """One currency's books: what there was, what there is in cash, what trading brought and what it cost."""

    initial: Decimal = _ZERO
    cash: Decimal = _ZERO
    realized_pnl: Decimal = _ZERO
    fees: Decimal = _ZERO


class Holding(NamedTuple):
    """What is held of a symbol, and what it cost; both negative for a short, whose cost is what its sale brought."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO


class Statement(NamedTuple):
    """One currency's books at given prices: cash + worth = initial + realized_pnl + unrealized_pnl - fees, exactly."""

    currency: str
    initial: Decimal
    cash: Decimal
    worth: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal


class Traded(NamedTuple):
    """What a trade did: `opened` is the part of its quantity that made a position or made one larger."""

    opened: Decimal
    fee: Decimal
    realized_pnl: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """`funds` by currency; `holdings` by symbol, none of them empty; `open_orders` as they were placed, oldest first.

    Marks are prices by symbol, at which holdings are valued: a long at what its sale brings, a short at what its
    purchase costs, each rounded as a trade is.
    """

    funds: Mapping[str, Funds]
    holdings: Mapping[str, Holding]
    open_orders: tuple[Order, ...] = ()
    orders_placed: int = 0

    @classmethod
    def opened(cls, balances: Mapping[str, Decimal], rules: PaperRules) -> "Account":
        """A new account with these balances, none below 0."""
        funds = {}
        for currency, balance in balances.items():
            amount = EXACT.add(balance, 0 * rules.quantum(currency))  # shown with the currency's digits from the start
            funds[currency] = Funds(initial=amount, cash=amount)
        return cls(funds=funds, holdings={})

    def held(self, symbol: str) -> Decimal:
        """The quantity, negative for a short."""
        return self.holdings.get(symbol, _NOTHING).quantity

    def reducible(self, symbol: str, side: OrderSide) -> Decimal:
        """How much an order of this side could trade before the position is gone."""
        held = self.held(symbol)
        return max(_ZERO, held if side == "sell" else held.copy_negate())

    def without(self, order: Order) -> "Account":
        """The account once this order is no longer open."""
        return replace(self, open_orders=tuple(each for each in self.open_orders if each.id != order.id))

    def traded(
        self, symbol: str, side: OrderSide, *, quantity: Decimal, price: Decimal, rules: PaperRules
    ) -> tuple["Account", Traded]:
        """The account after a trade. What reduces the position comes first, and realises profit; the rest opens one."""
        currency = quote_currency(symbol)
        quantum = rules.quantum(currency)
        with localcontext(EXACT):
            holding = self.holdings.get(symbol, _NOTHING)
            closed = min(quantity, self.reducible(symbol, side))
            opened = quantity - closed
            sign = 1 if side == "buy" else -1
            closing = amount_of(closed * price, side, quantum)
            opening = amount_of(opened * price, side, quantum)
            released = share(holding.cost, closed, abs(holding.quantity), quantum) if closed else _ZERO
            realized = -sign * closing - released if closed else _ZERO
            fee = paid((closing + opening) * rules.fee_rate, quantum)
            funds = self.funds.get(currency, Funds())
            after = Holding(holding.quantity + sign * quantity, holding.cost - released + sign * opening)
            new_funds = funds._replace(
                cash=funds.cash - sign * (closing + opening) - fee,
                realized_pnl=funds.realized_pnl + realized,
                fees=funds.fees + fee,
            )
        others = {name: each for name, each in self.holdings.items() if name != symbol}
        account = replace(
            self,
            funds={**self.funds, currency: new_funds},
            holdings={**others, symbol: after} if after.quantity else others,
        )
        return account, Traded(opened, fee, realized)

    def reserved(self, currency: str, rules: PaperRules) -> Decimal:
        """What the open orders of a currency may take of its equity."""
        with localcontext(EXACT):
            return sum(
                (amount for order, amount in self._reservations(rules) if quote_currency(order.symbol) == currency),
                _ZERO,
            )

    def reserved_for(self, order: Order, rules: PaperRules) -> Decimal:
        """What one open order may take of the equity."""
        return next(amount for each, amount in self._reservations(rules) if each.id == order.id)

    def available(self, currency: str, marks: Mapping[str, Decimal], rules: PaperRules) -> Decimal:
        """Equity without what positions and open orders bind; negative when shorts have lost too much.

        Needs marks for `shorts(currency)` alone: a long binds just what it adds to the equity.
        """
        quantum = rules.quantum(currency)
        with localcontext(EXACT):
            free = self.funds.get(currency, Funds()).cash - self.reserved(currency, rules)
            for symbol in self.shorts(currency):
                free += 2 * worth(self.held(symbol), marks[symbol], quantum)
        return free

    def shorts(self, currency: str) -> tuple[str, ...]:
        """The symbols of this quote currency that are held short."""
        return tuple(
            symbol
            for symbol, holding in self.holdings.items()
            if holding.quantity < 0 and quote_currency(symbol) == currency
        )

    def balances(self, marks: Mapping[str, Decimal], rules: PaperRules) -> tuple[Balance, ...]:
        """Needs marks for all holdings."""
        found = []
        for statement in self.statements(marks, rules):
            available = max(_ZERO, self.available(statement.currency, marks, rules))
            total = EXACT.add(statement.cash, statement.worth)
            found.append(Balance(currency=statement.currency, available=available, total=total))
        return tuple(found)

    def positions(self, marks: Mapping[str, Decimal], rules: PaperRules) -> tuple[Position, ...]:
        """Needs marks for all holdings."""
        return tuple(
            Position(
                symbol=symbol,
                side="long" if quantity > 0 else "short",
                quantity=quantity.copy_abs(),
                entry_price=EXACT.divide(cost, quantity).quantize(_SHOWN_PRICE, context=EXACT),
                unrealized_pnl=_unrealized(self.holdings[symbol], marks[symbol], rules.quantum(quote_currency(symbol))),
            )
            for symbol, (quantity, cost) in sorted(self.holdings.items())
        )

    def statements(self, marks: Mapping[str, Decimal], rules: PaperRules) -> tuple[Statement, ...]:
        """The books by currency, in the order of their names. Needs marks for all holdings."""
        found = []
        with localcontext(EXACT):
            for currency, funds in sorted(self.funds.items()):
                quantum = rules.quantum(currency)
                held = [name for name in self.holdings if quote_currency(name) == currency]
                found.append(
                    Statement(
                        currency=currency,
                        initial=funds.initial,
                        cash=funds.cash,
                        worth=sum((worth(self.held(name), marks[name], quantum) for name in held), _ZERO),
                        realized_pnl=funds.realized_pnl,
                        unrealized_pnl=sum(
                            (_unrealized(self.holdings[name], marks[name], quantum) for name in held), _ZERO
                        ),
                        fees=funds.fees,
                    )
                )
        return tuple(found)

    def _reservations(self, rules: PaperRules) -> list[tuple[Order, Decimal]]:
        """Each open order, with what it may take: nothing for what reduces the position as it is now, which the oldest
        orders of that side have first."""
        found = []
        uncovered: dict[tuple[str, OrderSide], Decimal] = {}
        for order in self.open_orders:
            opens = _ZERO
            if not order.reduces:
                place = (order.symbol, order.side)
                cover = uncovered[place] if place in uncovered else self.reducible(*place)
                covered = min(cover, order.quantity)
                uncovered[place] = EXACT.subtract(cover, covered)
                opens = EXACT.subtract(order.quantity, covered)
            price = order.price or _ZERO
            found.append((order, bound_by(order.symbol, order.side, opens, price, rules) if opens else _ZERO))
        return found


_NOTHING = Holding()


def quote_currency(symbol: str) -> str:
    """What a symbol is paid in: its second part. Raises UnknownSymbol where it has none."""
    _, dash, rest = symbol.partition("-")
    currency = rest.partition("-")[0]
    if not dash or not currency:
        raise UnknownSymbol(symbol)
    return currency


def amount_of(exact: Decimal, side: OrderSide, quantum: Decimal) -> Decimal:
    """The money that changes hands in a trade of this exact amount."""
    return paid(exact, quantum) if side == "buy" else received(exact, quantum)


def bound_by(symbol: str, side: OrderSide, quantity: Decimal, price: Decimal, rules: PaperRules) -> Decimal:
    """How much less is available once an order has opened this much: its price and fee; of a short, what rounding may
    take twice, too."""
    quantum = rules.quantum(quote_currency(symbol))
    with localcontext(EXACT):
        exact = quantity * price
        amount = amount_of(exact, side, quantum)
        fee = paid(amount * rules.fee_rate, quantum)
        return amount + fee if side == "buy" else 2 * paid(exact, quantum) - amount + fee


def worth(quantity: Decimal, mark: Decimal, quantum: Decimal) -> Decimal:
    """What a holding adds to the equity at this price: what its sale would bring, or, negative, its purchase cost."""
    return received(EXACT.multiply(quantity, mark), quantum)


def _unrealized(holding: Holding, mark: Decimal, quantum: Decimal) -> Decimal:
    return EXACT.subtract(worth(holding.quantity, mark, quantum), holding.cost)
