"""The types of the wire's fields. A description is the field's rule: documents and error sentences show it."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from shared.window_config import MAX_SYMBOL_CHARACTERS, SYMBOL_PATTERN

MAX_DIGITS = 18
"""How many digits a decimal may have on either side of the point, printed plain."""

MAX_ROWS = 500
MAX_CANDLES = 1_000
MAX_LEVELS = 100

_DECIMAL_PATTERN = r"(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_DECIMAL = re.compile(_DECIMAL_PATTERN)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS = re.compile(r"[0-9]+")

_SYMBOL_RULE = "a symbol such as BTC-USD: letters A-Z and digits in parts joined by dashes, at most 32 characters"
_STRATEGY_RULE = "a text of 1 to 64 printable characters"
_DATE_RULE = "a date, written YYYY-MM-DD"


def plain_decimal(value: Decimal) -> str:
    """Without an exponent and with the digits as they came: `1.50` stays `1.50`, `1e2` becomes `100`."""
    return format(value, "f")


def _exact_decimal(given: object) -> Decimal:
    """Of a JSON number, or of a string that is written like a positive one; never through a binary float."""
    if isinstance(given, str) and _DECIMAL.fullmatch(given):
        try:
            value = Decimal(given)
        except ArithmeticError as exc:
            raise ValueError("an exponent that no Decimal holds") from exc
    elif isinstance(given, Decimal):
        value = given
    elif isinstance(given, int) and not isinstance(given, bool):
        value = Decimal(given)
    else:
        raise ValueError("not a number")
    if not value.is_finite() or value <= 0:
        raise ValueError("not greater than 0")
    if value.adjusted() >= MAX_DIGITS or int(value.as_tuple().exponent) < -MAX_DIGITS:
        raise ValueError("too many digits")
    return value


def _printable(text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise ValueError("not printable")
    return text


def _real_date(text: str | None) -> str | None:
    if text is not None:
        if not _DATE.fullmatch(text):
            raise ValueError("not YYYY-MM-DD")
        date.fromisoformat(text)
    return text


def _whole_number(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise ValueError("not digits")
    return int(text)


Symbol = Annotated[
    str,
    Field(
        max_length=MAX_SYMBOL_CHARACTERS, pattern=f"^{SYMBOL_PATTERN}$", description=_SYMBOL_RULE, examples=["BTC-USD"]
    ),
]
Side = Annotated[Literal["buy", "sell"], Field(description='"buy" or "sell"')]
ExactDecimal = Annotated[
    Decimal,
    PlainValidator(_exact_decimal),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": f"^{_DECIMAL_PATTERN}$"}, {"type": "number", "exclusiveMinimum": 0}]}
    ),
    Field(
        description=f"a decimal greater than 0 with at most {MAX_DIGITS} digits on either side of the point",
        examples=["0.50"],
    ),
]
Strategy = Annotated[
    str | None,
    Field(min_length=1, max_length=64, description=_STRATEGY_RULE, examples=["rsi"]),
    AfterValidator(_printable),
]
QueryDate = Annotated[str | None, Field(description=_DATE_RULE), AfterValidator(_real_date)]
QuerySymbol = Annotated[Symbol | None, Field(description=_SYMBOL_RULE)]
QueryTimeframe = Annotated[Literal["1m", "5m", "15m", "1h", "1d"], Field(description='"1m", "5m", "15m", "1h" or "1d"')]


def _up_to(most: int) -> Any:
    return Field(ge=1, le=most, description=f"a whole number from 1 to {most}")


QueryLimit = Annotated[int, _up_to(MAX_ROWS), BeforeValidator(_whole_number)]
CandleLimit = Annotated[int, _up_to(MAX_CANDLES), BeforeValidator(_whole_number)]
LevelLimit = Annotated[int, _up_to(MAX_LEVELS), BeforeValidator(_whole_number)]
