"""An account's own fills of one symbol at an exchange: what they add up to, each counted once.

Pure. Money is rounded as `shared.broker.money` says, to 0.00000001.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import NamedTuple

from shared.broker.account import Holding
from shared.broker.base import OrderSide
from shared.broker.money import DEFAULT_QUANTUM, EXACT, paid, received, share

_ZERO = Decimal(0)


class ExchangeFill(NamedTuple):
    """What the exchange reports of a trade. Its id is the exchange's, and grows with time. Fees in other currencies
    than the symbol's own two are in neither `base_fee` nor `quote_fee`."""

    trade_id: int
    order_id: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    base_fee: Decimal = _ZERO
    quote_fee: Decimal = _ZERO


class OrderCosts(NamedTuple):
    """What an order's fills cost and brought, in the quote currency; the profit is before the fee."""

    fee: Decimal = _ZERO
    realized_pnl: Decimal = _ZERO


class ExchangeFills:
    """The fills that are known so far. One that is reported again, or late, changes nothing, or is put in its place."""

    def __init__(self) -> None:
        self._fills: dict[int, ExchangeFill] = {}
        self._summed_up = 0
        self._holding = Holding()
        self._costs: dict[str, OrderCosts] = {}

    def add(self, fills: Iterable[ExchangeFill]) -> None:
        for fill in fills:
            self._fills.setdefault(fill.trade_id, fill)

    def newest_but(self, count: int) -> int:
        """The trade id that has `count` newer ones; 0 where there are no more than those."""
        return sorted(self._fills)[-count - 1] if len(self._fills) > count else 0

    def holding(self) -> Holding:
        """What is left of what was bought, and what it cost. What was sold without having been bought is no short."""
        self._sum_up()
        return self._holding

    def costs(self, order_id: str) -> OrderCosts:
        self._sum_up()
        return self._costs.get(order_id, OrderCosts())

    def _sum_up(self) -> None:
        """In the order of the trades, by average cost. A fee in the base currency is a part that was sold at the
        fill's price, to pay it."""
        if self._summed_up == len(self._fills):
            return
        held, cost, costs = _ZERO, _ZERO, dict[str, OrderCosts]()
        with localcontext(EXACT):
            for _, fill in sorted(self._fills.items()):
                realized = _ZERO
                if fill.side == "buy":
                    kept = fill.quantity - fill.base_fee
                    held, cost = held + kept, cost + paid(kept * fill.price, DEFAULT_QUANTUM)
                else:
                    closed = min(held, fill.quantity + fill.base_fee)
                    released = share(cost, closed, held, DEFAULT_QUANTUM) if closed else _ZERO
                    realized = received(closed * fill.price, DEFAULT_QUANTUM) - released
                    held, cost = held - closed, cost - released
                known = costs.get(fill.order_id, OrderCosts())
                fee = fill.quote_fee + paid(fill.base_fee * fill.price, DEFAULT_QUANTUM)
                costs[fill.order_id] = OrderCosts(known.fee + fee, known.realized_pnl + realized)
        self._holding, self._costs, self._summed_up = Holding(held, cost), costs, len(self._fills)
