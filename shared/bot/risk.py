"""How large an entry may be, and whether there may be one. Pure; all amounts are exact decimals.

A trade risks `risk_per_trade` of the equity: that much is lost when the price goes from the entry to the stop. The
quantity is that loss by the stop's distance, at most what the money that is available can bind, rounded down to a
multiple of `quantity_step`; fees and slippage come on top of the risk, and are left room for (`COST_RESERVE`).
"""

from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import NamedTuple

from shared.broker.money import EXACT
from shared.settings import BotSettings

COST_RESERVE = Decimal("0.02")
"""The part of the available money that an entry leaves for its fee, its slippage and a price that moves meanwhile."""

_DIVIDING = Context(prec=60, rounding=ROUND_FLOOR)


class Funds(NamedTuple):
    """The money of a symbol's quote currency: `equity` is cash and positions at the last price, `available` what a new
    order may bind, `day_equity` the equity at the first look of the UTC day."""

    equity: Decimal
    available: Decimal
    day_equity: Decimal


class Refusal(NamedTuple):
    """Why there is no entry: a stable code and a sentence."""

    code: str
    sentence: str


def entry_refusal(settings: BotSettings, *, positions: int, funds: Funds) -> Refusal | None:
    """`positions` are those that will be open before the entry. None: no limit of the bot is in its way."""
    if positions >= settings.max_open_positions:
        bound = settings.max_open_positions
        return Refusal("MAX_POSITIONS", f"open positions: {positions} is not less than max_open_positions, {bound}")
    with localcontext(EXACT):
        least = funds.day_equity * (1 - settings.max_daily_loss)
    if funds.equity <= least:
        part = settings.max_daily_loss
        return Refusal(
            "DAILY_LOSS",
            f"equity: {funds.equity:f} is not greater than {least:f}, where the day began with {funds.day_equity:f} "
            f"and max_daily_loss is {part:f}",
        )
    return None


def entry_quantity(settings: BotSettings, *, price: Decimal, funds: Funds) -> Decimal:
    """In units of what is traded, a multiple of `quantity_step`; 0 where not even one step is affordable."""
    with localcontext(EXACT):
        at_risk = _DIVIDING.divide(funds.equity * settings.risk_per_trade, price * settings.stop_loss)
        affordable = _DIVIDING.divide(funds.available * (1 - COST_RESERVE), price)
        steps = max(Decimal(0), min(at_risk, affordable)) // settings.quantity_step
        return steps * settings.quantity_step
