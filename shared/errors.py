"""What can go wrong, for both stacks: one root, the facts as attributes, nothing about HTTP."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

VALUE_CHARACTERS = 80
"""At how many characters an error sentence cuts the value that it names (legacy contract)."""

MISSING = object()
"""Stands for the value of a field that was not given."""

ReasonCode = Literal[
    "HALTED",
    "OUTSIDE_HOURS",
    "CALENDAR_CLOSED",
    "CALENDAR_UNKNOWN",
    "BLACKOUT",
    "DAILY_LIMIT",
    "SYMBOL_LIMIT",
    "SIDE_LIMIT",
    "STRATEGY_LIMIT",
    "COOLDOWN",
    "SYMBOL_COOLDOWN",
    "PERMIT_LIMIT",
]
"""Why a trade is refused, in the order in which reasons are given."""

PermitStatus = Literal["pending", "sent", "in_doubt", "confirmed", "released", "expired"]
"""A permit's life: the last three are its ends, of which it has exactly one."""


class TradingWindowError(Exception):
    """Root of every error that this distribution raises on purpose."""


class InvalidField(TradingWindowError, ValueError):
    """A field of a request, a window config or the settings that breaks its rule."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{_cut(_printable(field))}: {_cut(_shown(value))} is not {rule}")


class UnknownStrategy(InvalidField):
    """No strategy has this name; `known` are those that have one."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__("strategy", name, f"one of {', '.join(known)}")


class BrokenStrategy(TradingWindowError):
    """A strategy that an entry point promises and that can't be had in this process."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"the strategy {_cut(name)!r} can't be used: {problem}")


class SettingsError(TradingWindowError):
    """Settings with which the process must not start; `str()` is the sentence for the operator."""


class UnsupportedMediaType(TradingWindowError):
    """A body that doesn't come as JSON, by its Content-Type; None where there is none."""

    def __init__(self, content_type: str | None) -> None:
        self.content_type = content_type
        shown = _shown(MISSING if content_type is None else content_type)
        super().__init__(f"Content-Type: {_cut(shown)} is not application/json")


class BodyTooLarge(TradingWindowError):
    """A body of more bytes than are read."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the body is larger than {limit_bytes} bytes")


class MalformedBody(TradingWindowError):
    """A body that no fields can be read from; `problem` is a clause about it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the body is malformed: {problem}")


class UnknownWindow(TradingWindowError):
    """The store holds no window of this id."""

    def __init__(self, window_id: str) -> None:
        self.window_id = window_id
        super().__init__(f"no trading window is named {_cut(window_id)!r}")


class StoreUnavailable(TradingWindowError):
    """The store could not answer; what was to be written is not written."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the store can't answer: {problem}")


class CalendarUnavailable(TradingWindowError):
    """A window's calendar can't be had in this process, so nobody can say whether the window is open."""

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(f"the calendar {_cut(code)} can't be had: {problem}")


class MarketUnavailable(TradingWindowError):
    """The market could not answer; `problem` is a clause about it, without keys or signatures."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the market can't answer: {problem}")


class ExchangeUnavailable(TradingWindowError):
    """The exchange gave no answer that can be used, and nothing was asked of it that has an effect; `problem` is a
    clause about it, without keys or signatures."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the exchange can't answer: {problem}")


class ExchangeRefused(TradingWindowError):
    """The exchange says no, or was not asked: nothing was done. `kind` is ccxt's name for the reason, such as
    InsufficientFunds."""

    def __init__(self, kind: str, problem: str) -> None:
        self.kind = kind
        self.problem = problem
        super().__init__(f"the exchange refuses: {problem}")


class OutcomeUnknown(TradingWindowError):
    """A request with an effect was sent, and no answer says what came of it: it may have been carried out."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"nobody knows what came of it at the exchange: {problem}")


class CandleFileError(TradingWindowError):
    """A file of candles that can't be read; `problem` is a clause about it."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"the candle file {path} can't be read: {problem}")


class BadCandle(CandleFileError):
    """A row that breaks a rule, by its place in the file: the line of a CSV, the row of a Parquet file, from 1."""

    def __init__(self, path: Path, place: str, wrong: InvalidField) -> None:
        self.place = place
        self.field = wrong.field
        self.value = wrong.value
        self.rule = wrong.rule
        super().__init__(path, f"{place}: {wrong}")


class ConfigBeyondLegacy(TradingWindowError):
    """A config with keys that the old arithmetic doesn't know, where the old side would have to judge by it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        super().__init__(f"the window's config needs the new side, for the old one doesn't know: {', '.join(keys)}")


class ServedByLegacy(TradingWindowError):
    """A change that can't be while the old side serves, or may serve, these endpoints."""

    def __init__(self, keys: Sequence[str], endpoints: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self.endpoints = tuple(endpoints)
        super().__init__(
            f"the old side doesn't know {', '.join(keys)}, and these endpoints are not in mode native: "
            f"{', '.join(endpoints)}; move them first (tradewindow cutover set ... native), or leave those keys out"
        )


class WindowExists(TradingWindowError):
    """A window that was to be made is known already, with another config."""

    def __init__(self, window_id: str) -> None:
        self.window_id = window_id
        super().__init__(f"a trading window named {_cut(window_id)!r} is there already, with another config")


class UnknownPermit(TradingWindowError):
    """The window never gave out a permit of this id."""

    def __init__(self, permit_id: str) -> None:
        self.permit_id = permit_id
        super().__init__(f"no permit is named {_cut(permit_id)!r}")


class PermitConflict(TradingWindowError):
    """A step that a permit's status doesn't allow: it has its end, or was sent already."""

    def __init__(self, permit_id: str, status: PermitStatus, wanted: str) -> None:
        self.permit_id = permit_id
        self.status = status
        self.wanted = wanted
        shown = status.replace("_", " ")
        when = "before it is sent" if status == "pending" else "any more"
        super().__init__(f"permit {_cut(permit_id)!r} is {shown}, and can't be {wanted} {when}")


class KeyReused(TradingWindowError):
    """An idempotency key that was answered for another request."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"Idempotency-Key: {_cut(_shown(key))} was used for a request with another body")


class UnknownSymbol(TradingWindowError):
    """The market, or the broker, trades nothing of this name."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        super().__init__(f"no symbol is named {_cut(symbol)!r}")


class UnknownOrder(TradingWindowError):
    """The broker was never given an order of this id."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(f"no order is named {_cut(order_id)!r}")


class OrderClosed(TradingWindowError):
    """An order that was to be cancelled has its end already; `status` is that end."""

    def __init__(self, order_id: str, status: str) -> None:
        self.order_id = order_id
        self.status = status
        super().__init__(f"order {_cut(order_id)!r} is {status}, and can't be cancelled any more")


class InsufficientBalance(TradingWindowError):
    """An order that needs more of a currency than is available. Both amounts are plain decimal strings."""

    def __init__(self, currency: str, needed: str, available: str) -> None:
        self.currency = currency
        self.needed = needed
        self.available = available
        super().__init__(f"the order needs {needed} {currency}, and {available} {currency} are available")


class NothingToReduce(TradingWindowError):
    """An order that may only reduce a position, where there is none that its side reduces."""

    def __init__(self, symbol: str, side: str) -> None:
        self.symbol = symbol
        self.side = side
        super().__init__(f"no position in {_cut(symbol)!r} is reduced by an order to {side}")


class TooManyOpenOrders(TradingWindowError):
    """The broker keeps no more orders open than `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{limit} orders are open, as many as may")


class OrderOnItsWay(TradingWindowError):
    """An order that was sent under this client order id, and nobody knows yet what came of it."""

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        super().__init__("an order with this key is on its way, and what comes of it isn't known yet")


class ClientOrderIdReused(TradingWindowError):
    """A client order id under which another order was placed."""

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        super().__init__(f"client_order_id: {_cut(_shown(client_order_id))} was used for another order")


class BotIsRunning(TradingWindowError):
    """To start a bot that runs already."""

    def __init__(self) -> None:
        super().__init__("the bot is running already")


class BotIsStopped(TradingWindowError):
    """To stop a bot that doesn't run."""

    def __init__(self) -> None:
        super().__init__("the bot is not running")


class TooManyBacktests(TradingWindowError):
    """As many backtests run and wait as may; `retry_after_seconds` is when to ask again."""

    def __init__(self, most: int, retry_after_seconds: int) -> None:
        self.most = most
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{most} backtests run or wait already, and no more may")


class BacktestTooLong(TradingWindowError):
    """A backtest that was ended by its time limit."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        super().__init__(f"the backtest took longer than {timeout_seconds:g} s")


class BacktestFailed(TradingWindowError):
    """A backtest without a result; `problem` is a clause about it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the backtest failed: {problem}")


class LeaseHeld(TradingWindowError):
    """Another process runs the bot, until `until` at least."""

    def __init__(self, holder: str, until: datetime | None) -> None:
        self.holder = holder
        self.until = until
        super().__init__(f"the bot is run by {holder}, whose lease lasts until {until and until.isoformat()}")


class OtherAccount(TradingWindowError):
    """A process would take over a bot that trades other money, or at other prices, than its own settings say. Both are
    as `account_of` words them."""

    def __init__(self, traded: str | None, given: str) -> None:
        self.traded = traded
        self.given = given
        super().__init__(
            f"the bot trades {traded}, and this process would trade {given}: give it the settings of the bot "
            "([broker], [market], [exchange]), or a store of its own (store.path)"
        )


class LeaseLost(TradingWindowError):
    """The process doesn't hold the bot's lease any more; `taken_by` is who does, None for nobody."""

    def __init__(self, holder: str, taken_by: str | None) -> None:
        self.holder = holder
        self.taken_by = taken_by
        super().__init__(f"the bot's lease is not {holder}'s any more: it is {taken_by or 'nobody'}'s")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One rule that a trade fails.

    `code` is stable; `sentence` is for people; `value` is what was found and `bound` what it was held against.
    `clears_at` is the instant from which on this rule allows the trade, if nothing else happens; None where no such
    instant is known.
    """

    code: ReasonCode
    sentence: str
    value: Any
    bound: Any
    clears_at: datetime | None = None


class Refused(TradingWindowError):
    """A trade that the rules refuse. The first of `reasons` is the one that the legacy contract answers with."""

    def __init__(self, first: Reason, *others: Reason) -> None:
        self.reasons = (first, *others)
        super().__init__(first.sentence)


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else json.dumps(text)[1:-1]


def _shown(value: object) -> str:
    """The value as JSON where it has such a form, for a person to read."""
    if value is MISSING:
        return "missing"
    if isinstance(value, str):
        return json.dumps(value[: VALUE_CHARACTERS + 1])
    if isinstance(value, Decimal):
        return str(value)  # never plain: 1e999999 would have a million digits
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        return repr(type(value).__name__)


def _cut(text: str) -> str:
    return text[:VALUE_CHARACTERS]
