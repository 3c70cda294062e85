"""The kinds of values that settings have, each with the rule that a message tells."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr


def whole(low: int, high: int) -> Any:
    return Field(ge=low, le=high, description=f"a whole number from {low} to {high}")


def seconds(low: float, high: float) -> Any:
    return Field(ge=low, le=high, description=f"a number from {low:g} to {high:g}")


def part(*, most: str, least: str | None = None, above: str | None = None) -> Any:
    """Of a whole: 1 is all of it."""
    low = f'of at least "{least}"' if above is None else f'greater than "{above}"'
    return Field(
        ge=least and Decimal(least),
        gt=above and Decimal(above),
        le=Decimal(most),
        description=f'a decimal in quotes {low} and at most "{most}", such as "0.01"',
    )


def each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


def _file_path(path: Path) -> Path:
    if path.name in ("", "..", ":memory:") or "\0" in str(path):
        raise ValueError("not the path of a file")
    return path


FilePath = Annotated[Path, Field(strict=False, description="the path of a file"), AfterValidator(_file_path)]

_DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")


def _written_decimal(given: Any) -> Any:
    """A decimal in quotes, or a whole number: a bare fraction has been a binary one since the file was read."""
    if isinstance(given, str) and _DECIMAL.fullmatch(given):
        return Decimal(given)
    return Decimal(given) if isinstance(given, int) and not isinstance(given, bool) else given


WrittenDecimal = Annotated[Decimal, BeforeValidator(_written_decimal)]
Rate = Annotated[
    WrittenDecimal,
    Field(ge=0, le=Decimal("0.1"), description='a decimal in quotes from "0" to "0.1", such as "0.001"'),
]
Currency = Annotated[str, Field(pattern="^[A-Z0-9]{1,16}$")]
MarketSymbol = Annotated[str, Field(max_length=32, pattern="^[A-Z0-9]+-[A-Z0-9]+$")]

EndpointName = Annotated[str, Field(pattern="^[A-Z]+ /.*$")]
EndpointNames = Annotated[list[EndpointName], Field(description='a list of endpoints, such as ["POST /api/search"]')]

HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
"""A token: RFC 9110, 5.6.2."""

Secret = Annotated[SecretStr | None, Field(description="a text", min_length=1)]
