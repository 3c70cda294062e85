import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.candle import Candle, Timeframe
from shared.errors import InvalidField

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SOUND: dict[str, Any] = {
    "timestamp": NOON,
    "open": Decimal("100.10"),
    "high": Decimal(102),
    "low": Decimal("99.5"),
    "close": Decimal("101.250"),
    "volume": Decimal(0),
}
PRICE = "a finite Decimal greater than 0 and less than 10^18"
VOLUME = "a finite Decimal of at least 0"


def test_a_candle_keeps_its_numbers_as_they_came() -> None:
    candle = Candle(**SOUND)
    assert candle.timestamp == NOON
    assert [str(value) for value in candle[1:]] == ["100.10", "102", "99.5", "101.250", "0"]


def test_a_candle_may_stand_still() -> None:
    one = Decimal("0.000000000000000001")
    assert Candle(NOON, one, one, one, one, Decimal(0)).close == one


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"open": Decimal("NaN")}, f"open: NaN is not {PRICE}"),
        ({"high": Decimal("sNaN")}, f"high: sNaN is not {PRICE}"),
        ({"high": Decimal("Infinity")}, f"high: Infinity is not {PRICE}"),
        ({"low": Decimal("-Infinity")}, f"low: -Infinity is not {PRICE}"),
        ({"close": Decimal("NaN")}, f"close: NaN is not {PRICE}"),
        ({"low": Decimal(0)}, f"low: 0 is not {PRICE}"),
        ({"low": Decimal(-1)}, f"low: -1 is not {PRICE}"),
        ({"high": Decimal(10) ** 18}, f"high: 1000000000000000000 is not {PRICE}"),
        ({"open": 100.1}, f"open: 100.1 is not {PRICE}"),
        ({"close": 101}, f"close: 101 is not {PRICE}"),
        ({"close": "101"}, f'close: "101" is not {PRICE}'),
        ({"volume": Decimal("-0.1")}, f"volume: -0.1 is not {VOLUME}"),
        ({"volume": Decimal("NaN")}, f"volume: NaN is not {VOLUME}"),
        ({"volume": Decimal("Infinity")}, f"volume: Infinity is not {VOLUME}"),
        ({"volume": 5}, f"volume: 5 is not {VOLUME}"),
        ({"high": Decimal(99)}, "high: 99 is not at least the low, 99.5"),
        ({"open": Decimal("99.4")}, "open: 99.4 is not from the low, 99.5, to the high, 102"),
        ({"open": Decimal("102.1")}, "open: 102.1 is not from the low, 99.5, to the high, 102"),
        ({"close": Decimal("99.4")}, "close: 99.4 is not from the low, 99.5, to the high, 102"),
        ({"close": Decimal("102.1")}, "close: 102.1 is not from the low, 99.5, to the high, 102"),
        (
            {"timestamp": datetime(2026, 3, 4, 12)},  # noqa: DTZ001 - the point of the test
            'timestamp: "2026-03-04T12:00:00" is not aware of its time zone',
        ),
    ],
    ids=ascii,
)
def test_what_no_market_can_have_done_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        Candle(**SOUND | changes)
    assert str(caught.value) == sentence
    with pytest.raises(InvalidField):
        Candle(**SOUND)._replace(**changes)
    with localcontext(Context(traps=[])), pytest.raises(InvalidField):
        Candle(**SOUND | changes)


def test_the_timestamp_is_kept_in_utc() -> None:
    stockholm = datetime(2026, 3, 4, 13, tzinfo=ZoneInfo("Europe/Stockholm"))
    timestamp = Candle(**SOUND | {"timestamp": stockholm}).timestamp
    assert timestamp.isoformat() == "2026-03-04T12:00:00+00:00"
    assert timestamp.tzinfo is UTC


def test_a_candle_goes_to_another_process_and_back() -> None:
    candle = Candle(**SOUND)
    copy = pickle.loads(pickle.dumps(candle))
    assert copy == candle
    assert type(copy) is Candle


def test_a_candle_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Candle(**SOUND).close = Decimal(1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("timeframe", "seconds", "instant", "opens"),
    [
        ("1m", 60, "2026-03-04T12:34:56.789+00:00", "2026-03-04T12:34:00+00:00"),
        ("5m", 300, "2026-03-04T12:34:56+00:00", "2026-03-04T12:30:00+00:00"),
        ("15m", 900, "2026-03-04T12:34:56+00:00", "2026-03-04T12:30:00+00:00"),
        ("15m", 900, "2026-03-04T12:45:00+00:00", "2026-03-04T12:45:00+00:00"),
        ("1h", 3600, "2026-03-04T12:59:59.999999+00:00", "2026-03-04T12:00:00+00:00"),
        ("1h", 3600, "2026-03-04T12:20:00+05:30", "2026-03-04T06:00:00+00:00"),
        ("1d", 86400, "2026-03-04T00:30:00+01:00", "2026-03-03T00:00:00+00:00"),
        ("1d", 86400, "1969-12-31T23:59:59+00:00", "1969-12-31T00:00:00+00:00"),
    ],
)
def test_a_timeframe_knows_its_length_and_when_a_candle_opened(
    timeframe: str, seconds: int, instant: str, opens: str
) -> None:
    length = Timeframe(timeframe)
    assert length.seconds == seconds
    assert length.open_of(datetime.fromisoformat(instant)).isoformat() == opens


def test_the_timeframes_are_the_contract_s() -> None:
    assert [str(timeframe) for timeframe in Timeframe] == ["1m", "5m", "15m", "1h", "1d"]


def test_a_naive_instant_is_in_no_candle() -> None:
    with pytest.raises(ValueError, match="not aware of its time zone"):
        Timeframe.MINUTE.open_of(datetime(2026, 3, 4, 12))  # noqa: DTZ001 - the point of the test


def test_candles_lie_in_the_order_of_their_time() -> None:
    later = Candle(**SOUND | {"timestamp": NOON.astimezone(timezone(timedelta(hours=-5))) + timedelta(minutes=1)})
    assert min(later, Candle(**SOUND)).timestamp == NOON
