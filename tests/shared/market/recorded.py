"""A recording whose every value can be told by heart: what the tests of files and of the exchange are held to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.candle import Candle

BEGIN = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
MINUTES = 360
END = BEGIN + timedelta(minutes=MINUTES)


def minute(number: int) -> Candle:
    """Minute 7 opens at 1007, closes at 1008, has 1009.5 and 1006.25 as its ends, and 0.10000007 traded."""
    return Candle(
        timestamp=BEGIN + timedelta(minutes=number),
        open=Decimal(1000 + number),
        high=Decimal(1000 + number) + Decimal("2.50"),
        low=Decimal(1000 + number) - Decimal("0.75"),
        close=Decimal(1001 + number),
        volume=Decimal("0.1") + Decimal(number).scaleb(-8),
    )


CANDLES = tuple(minute(number) for number in range(MINUTES))


def csv_text() -> str:
    rows = [
        f"{candle.timestamp:%Y-%m-%dT%H:%M:%SZ},{candle.open},{candle.high},{candle.low},{candle.close},{candle.volume}"
        for candle in CANDLES
    ]
    return "\n".join(["timestamp,open,high,low,close,volume", *rows, ""])
