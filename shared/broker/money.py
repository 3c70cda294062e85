"""Exact money. Sums, differences and products of decimals are exact; what is rounded, and how, is said here.

Money of a currency is a multiple of its quantum, 0.00000001 unless the rules say otherwise. A purchase is rounded up, a
sale down and a fee up: each against the account, so that no row of small orders earns what one large order doesn't.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

EXACT = Context(prec=256)
"""Under this context + - * are exact: 36 digits a factor, and as many sums as anybody lives to see."""

DEFAULT_QUANTUM = Decimal("0.00000001")
_FINEST_PRICE = Decimal(1).scaleb(-18)


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperRules:
    """What trading costs. The rates are parts of one: 0.001 is a thousandth of what is traded."""

    fee_rate: Decimal = Decimal(0)
    slippage_rate: Decimal = Decimal(0)
    quanta: Mapping[str, Decimal] = field(default_factory=dict)
    """The smallest amount of a currency, where it isn't DEFAULT_QUANTUM."""

    def quantum(self, currency: str) -> Decimal:
        return self.quanta.get(currency, DEFAULT_QUANTUM)


def paid(amount: Decimal, quantum: Decimal) -> Decimal:
    """The multiple of the quantum that is paid for this: rounded up."""
    return amount.quantize(quantum, ROUND_CEILING, EXACT)


def received(amount: Decimal, quantum: Decimal) -> Decimal:
    """The multiple of the quantum that is got for this: rounded down."""
    return amount.quantize(quantum, ROUND_FLOOR, EXACT)


def share(amount: Decimal, part: Decimal, whole: Decimal, quantum: Decimal) -> Decimal:
    """The part's share of the amount, rounded to the nearest multiple, at a tie to the even one. All of it is exact."""
    if part == whole:
        return amount
    return EXACT.divide(EXACT.multiply(amount, part), whole).quantize(quantum, ROUND_HALF_EVEN, EXACT)


def slipped_up(price: Decimal, rate: Decimal) -> Decimal:
    """The price, worse by the rate for who buys; at most 18 digits behind the point."""
    return _to_a_price(EXACT.multiply(price, 1 + rate), ROUND_CEILING)


def slipped_down(price: Decimal, rate: Decimal) -> Decimal:
    """The price, worse by the rate for who sells; at most 18 digits behind the point."""
    return _to_a_price(EXACT.multiply(price, 1 - rate), ROUND_FLOOR)


def _to_a_price(price: Decimal, rounding: str) -> Decimal:
    if int(price.as_tuple().exponent) >= int(_FINEST_PRICE.as_tuple().exponent):
        return price
    return price.quantize(_FINEST_PRICE, rounding, EXACT)
