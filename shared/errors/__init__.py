"""What can go wrong, for both stacks: one root, the facts as attributes, nothing about HTTP."""

from shared.errors._sentences import MISSING, VALUE_CHARACTERS
from shared.errors.backtest import BacktestFailed, BacktestTooLong, TooManyBacktests
from shared.errors.base import InvalidField, SettingsError, StoreUnavailable, TradingWindowError
from shared.errors.bot import (
    BotIsRunning,
    BotIsStopped,
    BrokenStrategy,
    LeaseHeld,
    LeaseLost,
    OtherAccount,
    UnknownStrategy,
)
from shared.errors.broker import (
    ClientOrderIdReused,
    InsufficientBalance,
    NothingToReduce,
    OrderClosed,
    OrderOnItsWay,
    TooManyOpenOrders,
    UnknownOrder,
)
from shared.errors.exchange import ExchangeRefused, ExchangeUnavailable, OutcomeUnknown
from shared.errors.market import BadCandle, CandleFileError, MarketUnavailable, UnknownSymbol
from shared.errors.request import BodyTooLarge, KeyReused, MalformedBody, UnsupportedMediaType
from shared.errors.window import (
    CalendarUnavailable,
    ConfigBeyondLegacy,
    PermitConflict,
    PermitOfOrder,
    PermitStatus,
    Reason,
    ReasonCode,
    Refused,
    ServedByLegacy,
    UnknownPermit,
    UnknownWindow,
    WindowExists,
)

__all__ = [
    "MISSING",
    "VALUE_CHARACTERS",
    "BacktestFailed",
    "BacktestTooLong",
    "BadCandle",
    "BodyTooLarge",
    "BotIsRunning",
    "BotIsStopped",
    "BrokenStrategy",
    "CalendarUnavailable",
    "CandleFileError",
    "ClientOrderIdReused",
    "ConfigBeyondLegacy",
    "ExchangeRefused",
    "ExchangeUnavailable",
    "InsufficientBalance",
    "InvalidField",
    "KeyReused",
    "LeaseHeld",
    "LeaseLost",
    "MalformedBody",
    "MarketUnavailable",
    "NothingToReduce",
    "OrderClosed",
    "OrderOnItsWay",
    "OtherAccount",
    "OutcomeUnknown",
    "PermitConflict",
    "PermitOfOrder",
    "PermitStatus",
    "Reason",
    "ReasonCode",
    "Refused",
    "ServedByLegacy",
    "SettingsError",
    "StoreUnavailable",
    "TooManyBacktests",
    "TooManyOpenOrders",
    "TradingWindowError",
    "UnknownOrder",
    "UnknownPermit",
    "UnknownStrategy",
    "UnknownSymbol",
    "UnknownWindow",
    "UnsupportedMediaType",
    "WindowExists",
]
