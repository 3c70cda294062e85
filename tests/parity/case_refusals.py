"""Refusals that cases of several resources expect, each written down once: the rules that sentences name, whole
answers, and what brings them about."""

from shared.errors import MarketUnavailable, StoreUnavailable
from tests.parity.case import Answer, MarketFails, StoreFails, answers, error

SYMBOL_RULE = "a symbol such as BTC-USD: letters A-Z and digits in parts joined by dashes, at most 32 characters"
SIDE_RULE = '"buy" or "sell"'
DECIMAL_RULE = "a decimal greater than 0 with at most 18 digits on either side of the point"
TIMEFRAME_RULE = '"1m", "5m", "15m", "1h" or "1d"'
LIST_LIMIT_RULE = "a whole number from 1 to 500"

STORE_FAILS = StoreFails(StoreUnavailable("the disk is gone"))
STORE_GONE = error(503, "the store can't answer: the disk is gone")
MARKET_FAILS = MarketFails(MarketUnavailable("the exchange is away"))
MARKET_AWAY = error(503, "the market can't answer: the exchange is away")
FAULT = error(500, "internal server error")
KEY_REUSED = error(422, 'Idempotency-Key: "order-1" was used for a request with another body')


def outside_hours(hours: str) -> Answer:
    return answers(403, f'{{"error":"outside the trading window {hours}","trading_hours":"{hours}"}}')


def limit_reached(trades_today: int, limit: int) -> Answer:
    return answers(
        409,
        f'{{"error":"daily trade limit of {limit} reached",'
        f'"max_trades_per_day":{limit},"trades_today":{trades_today}}}',
    )


NINE_TO_FIVE = {"start_hour": 9, "end_hour": 17}
SHUT = outside_hours("9:00 - 17:00")
"""To a window of NINE_TO_FIVE."""
