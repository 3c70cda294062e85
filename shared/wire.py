"""The wire, for both stacks: requests read from raw bytes, the models of all answers, the answer to every error."""

import hashlib
import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from shared._json_object import read_object
from shared.errors import (
    BacktestFailed,
    BacktestTooLong,
    BodyTooLarge,
    BotIsRunning,
    BotIsStopped,
    BrokenStrategy,
    CalendarUnavailable,
    ClientOrderIdReused,
    ConfigBeyondLegacy,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientBalance,
    InvalidField,
    KeyReused,
    MalformedBody,
    MarketUnavailable,
    NothingToReduce,
    OrderClosed,
    OrderOnItsWay,
    OtherAccount,
    OutcomeUnknown,
    PermitConflict,
    PermitOfOrder,
    Reason,
    Refused,
    ServedByLegacy,
    StoreUnavailable,
    TooManyBacktests,
    TooManyOpenOrders,
    TradingWindowError,
    UnknownOrder,
    UnknownPermit,
    UnknownSymbol,
    UnknownWindow,
    UnsupportedMediaType,
    WindowExists,
)
from shared.fields import validated
from shared.store.base import IdempotencyKey
from shared.window_config import EndHour, StartHour, TradesPerDay
from shared.wire_fields import ExactDecimal, QueryDate, QueryLimit, QuerySymbol, Side, Strategy, Symbol, plain_decimal

MAX_QUERY_PARAMETERS = 1000

REGISTER_TRADE = "POST /api/trading-window/trades"
"""The endpoint under which the idempotency keys of trades are kept, whichever side takes them."""

RequestT = TypeVar("RequestT", bound=BaseModel)

_KEY = re.compile(r"[!-~]{1,255}")


def _not_given() -> Any:
    return None


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TradeRequest(_Request):
    """A trade to register."""

    symbol: Symbol
    side: Side
    quantity: ExactDecimal
    price: ExactDecimal
    strategy: Strategy = None


class ConfigChange(_Request):
    """Keys of the window config to change."""

    # A key that wasn't given has no value here: read them with `changes`.
    start_hour: StartHour = Field(default_factory=_not_given)
    end_hour: EndHour = Field(default_factory=_not_given)
    max_trades_per_day: TradesPerDay = Field(default_factory=_not_given)

    def changes(self) -> dict[str, int]:
        return self.model_dump(exclude_unset=True)


class TradesQuery(_Request):
    """Which trades to list, newest first; `date` is the trade day."""

    date: QueryDate = None
    symbol: QuerySymbol = None
    limit: QueryLimit = 50


def require_json(content_type: str | None) -> None:
    """Raises UnsupportedMediaType unless Flask's `Request.is_json` holds; that comes before the body is looked at."""
    if content_type == "application/json":
        return
    media_type = (content_type or "").partition(";")[0].strip(" \t").lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType(content_type)


def read_trade(content_type: str | None, body: bytes) -> TradeRequest:
    """Raises UnsupportedMediaType, then MalformedBody, then InvalidField."""
    return read_request(TradeRequest, content_type, body)


def read_config_change(content_type: str | None, body: bytes) -> ConfigChange:
    """Raises UnsupportedMediaType, then MalformedBody, then InvalidField."""
    return read_request(ConfigChange, content_type, body)


def read_mapping(content_type: str | None, body: bytes) -> dict[str, Any]:
    """The keys of a JSON object, which are not looked at. Raises UnsupportedMediaType, then MalformedBody."""
    require_json(content_type)
    return read_object(body)


def read_request(model: type[RequestT], content_type: str | None, body: bytes) -> RequestT:
    """Raises UnsupportedMediaType, then MalformedBody, then InvalidField."""
    return validated(model, read_mapping(content_type, body))


def read_trades_query(query_string: bytes) -> TradesQuery:
    """Raises InvalidField."""
    return read_query(TradesQuery, query_string)


def read_query(model: type[RequestT], query_string: bytes, *, refuses_unknown: bool = False) -> RequestT:
    """As Flask reads a query: the first value of a parameter counts, unknown parameters don't, unless they are
    refused. Raises InvalidField."""
    pairs = query_pairs(query_string)
    return validated(
        model, {name: value for name, value in reversed(pairs) if refuses_unknown or name in model.model_fields}
    )


def query_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """The names and values of a query, as they came. Raises InvalidField for too many."""
    text = query_string.decode(errors="replace")
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_QUERY_PARAMETERS)
    except ValueError as exc:
        raise InvalidField("query", text, f"a query of at most {MAX_QUERY_PARAMETERS} parameters") from exc


def read_idempotency_key(header: str | None, *, endpoint: str, request: BaseModel) -> IdempotencyKey | None:
    """The client's key for a validated request; None without the header. Raises InvalidField.

    The fingerprint is of what the request says, not of how: the order of keys, a number or its string, a null or no
    key at all, closing zeros (`1.50` and `1.5`) and exponents (`1e2` and `100`) make no other body.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise InvalidField("Idempotency-Key", header, "1 to 255 visible ASCII characters")
    canonical = _CANONICAL_JSON(request.model_dump(exclude_none=True))
    return IdempotencyKey(endpoint=endpoint, value=header, fingerprint=hashlib.sha256(canonical.encode()).hexdigest())


def _without_closing_zeros(value: object) -> str:
    """Of a Decimal, and not by its `normalize`: that rounds to the context's 28 digits."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    plain = plain_decimal(value)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, default=_without_closing_zeros).encode


def answer_to(error: TradingWindowError) -> tuple[int, dict[str, Any]]:
    """The status and the JSON body of the contract's answer to an error."""
    if isinstance(error, Refused):
        return _refusal(error.reasons[0])
    if isinstance(error, InsufficientBalance):
        amounts = {"currency": error.currency, "needed": error.needed, "available": error.available}
        return 409, {"error": str(error), **amounts}
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)
    return status, {"error": str(error)}


_STATUSES: dict[type[TradingWindowError], int] = {
    InvalidField: 400,
    MalformedBody: 400,
    BotIsRunning: 400,
    BotIsStopped: 400,
    UnknownWindow: 404,
    UnknownPermit: 404,
    UnknownSymbol: 404,
    UnknownOrder: 404,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    ServedByLegacy: 409,
    WindowExists: 409,
    PermitConflict: 409,
    PermitOfOrder: 409,
    OrderClosed: 409,
    OtherAccount: 409,
    OrderOnItsWay: 409,
    NothingToReduce: 409,
    TooManyOpenOrders: 409,
    KeyReused: 422,
    BrokenStrategy: 503,
    ClientOrderIdReused: 422,
    CalendarUnavailable: 503,
    ConfigBeyondLegacy: 503,
    StoreUnavailable: 503,
    MarketUnavailable: 503,
    ExchangeUnavailable: 503,
    ExchangeRefused: 502,
    OutcomeUnknown: 503,
    TooManyBacktests: 503,
    BacktestTooLong: 503,
    BacktestFailed: 503,
}


def headers_to(error: TradingWindowError) -> dict[str, str]:
    """The headers of that answer beside Content-Type."""
    if isinstance(error, TooManyBacktests):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {}


def _refusal(reason: Reason) -> tuple[int, dict[str, Any]]:
    body = {"error": reason.sentence}
    match reason.code:
        case "DAILY_LIMIT":
            return 409, {**body, "trades_today": reason.value, "max_trades_per_day": reason.bound}
        case "OUTSIDE_HOURS":
            return 403, {**body, "trading_hours": reason.bound}
        case "HALTED" | "CALENDAR_CLOSED" | "CALENDAR_UNKNOWN" | "BLACKOUT":
            return 403, body
        case _:
            return 409, body


class Health(BaseModel):
    status: Literal["healthy"]


class BotStatus(BaseModel):
    """`symbol` is each of the bot's symbols, parted by commas. A cycle tells when it began, how many candles it took
    in, and the sentence of the error that ended it."""

    status: Literal["running", "stopped"]
    started_at: str | None
    symbol: str
    strategies: list[str]
    last_cycle: dict[str, Any] | None


class BotStarted(BaseModel):
    status: Literal["started"]


class BotStopped(BaseModel):
    status: Literal["stopped"]


class WithinWindow(BaseModel):
    within_window: bool


class CanTrade(BaseModel):
    can_trade: bool


class WindowStatus(WithinWindow, CanTrade):
    pass


class Status(BaseModel):
    status: Literal["running"]
    server_time: str
    bot: BotStatus
    trading_window: WindowStatus


class RemainingTrades(BaseModel):
    remaining_trades: int


class RecordedTrade(BaseModel):
    """A trade of the ledger; one that was registered without trade data has null fields.

    Quantity and price are plain decimals with the digits as they came.
    """

    id: str
    symbol: str | None
    side: Literal["buy", "sell"] | None
    quantity: str | None
    price: str | None
    strategy: str | None
    executed_at: str
    trade_day: str
    reduces: Annotated[
        bool, Field(description="there, and true, for a trade that only reduced a position; it took no slot")
    ] = False


class TradeAnswer(RemainingTrades):
    trade: RecordedTrade
    trades_today: int


class TradeList(BaseModel):
    trades: list[RecordedTrade]
    count: int


class ConfigAnswer(BaseModel):
    start_hour: int
    end_hour: int
    max_trades_per_day: int
    timezone: str


class WindowStateAnswer(WithinWindow, CanTrade, RemainingTrades):
    trades_today: int
    max_trades_per_day: int
    trading_hours: str
    last_trade_date: str | None


class ErrorAnswer(BaseModel):
    error: str


class DailyLimitAnswer(ErrorAnswer):
    trades_today: int
    max_trades_per_day: int


class OutsideHoursAnswer(ErrorAnswer):
    trading_hours: str
