"""What an exchange's market takes: the steps and bounds of quantities, prices and worths, held against a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from shared.broker.base import OrderRequest
from shared.broker.money import EXACT
from shared.errors import InvalidField


class Bounds(NamedTuple):
    """None is no bound. As of exchanges that say so, 0 is none either."""

    step: Decimal | None = None
    least: Decimal | None = None
    most: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketRules:
    """A market's bounds: of a quantity, of a market order's quantity besides, of a price, and of what both make."""

    symbol: str
    source: str
    currency: str
    quantity: Bounds
    market_quantity: Bounds
    price: Bounds
    worth: Bounds

    @classmethod
    def of(cls, market: Mapping[str, Any], symbol: str, source: str) -> "MarketRules":
        """Of a market as ccxt describes it, its precision in steps."""
        limits, precision = market["limits"], market["precision"]

        def bounds(name: str, step: Decimal | None = None) -> Bounds:
            limit = limits.get(name) or {}
            return Bounds(step or None, limit.get("min") or None, limit.get("max") or None)

        return cls(
            symbol=symbol,
            source=source,
            currency=market["quote"],
            quantity=bounds("amount", precision["amount"]),
            market_quantity=bounds("market"),
            price=bounds("price", precision["price"]),
            worth=bounds("cost"),
        )

    def check(self, request: OrderRequest, *, price: Decimal) -> None:
        """Raises InvalidField for what the market can't take. `price` is the request's own, or, for a market order,
        the last one."""
        self._within("quantity", request.quantity, self.quantity)
        if request.type == "market":
            self._within("quantity", request.quantity, self.market_quantity)
        else:
            self._within("price", price, self.price)
        worth, at = EXACT.multiply(request.quantity, price), f"{self.currency} at {price:f}"
        for bound, word, too_far in (
            (self.worth.least, "least", self.worth.least is not None and worth < self.worth.least),
            (self.worth.most, "most", self.worth.most is not None and worth > self.worth.most),
        ):
            if too_far:
                rule = f"worth at {word} {bound:f} {at}, which {self._takes()}"
                raise InvalidField("quantity", request.quantity, rule)

    def sellable(self, quantity: Decimal, *, price: Decimal) -> Decimal:
        """How much of a holding the market takes in one order: whole steps. 0 where that is too little to be sold."""
        step = self.quantity.step
        whole = quantity if step is None else EXACT.subtract(quantity, EXACT.remainder(quantity, step))
        if whole < (self.quantity.least or 0) or EXACT.multiply(whole, price) < (self.worth.least or 0):
            return Decimal(0)
        return whole

    def _within(self, field: str, value: Decimal, bounds: Bounds) -> None:
        if bounds.least is not None and value < bounds.least:
            raise InvalidField(field, value, f"at least {bounds.least:f}, which {self._takes()}")
        if bounds.most is not None and value > bounds.most:
            raise InvalidField(field, value, f"at most {bounds.most:f}, which {self._takes()}")
        if bounds.step is not None and EXACT.remainder(value, bounds.step):
            raise InvalidField(field, value, f"a multiple of {bounds.step:f}, which {self._takes()}")

    def _takes(self) -> str:
        return f"{self.source} takes for {self.symbol}"
