"""What is answered: instants, trades, and the status and body of every error."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from shared.clock import utc_text
from shared.errors import (
    BacktestFailed,
    BacktestTooLong,
    BodyTooLarge,
    BotIsRunning,
    BotIsStopped,
    BrokenStrategy,
    CalendarUnavailable,
    CandleFileError,
    ClientOrderIdReused,
    ConfigBeyondLegacy,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientBalance,
    InvalidField,
    KeyReused,
    LeaseHeld,
    LeaseLost,
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
    ReasonCode,
    Refused,
    ServedByLegacy,
    SettingsError,
    StoreUnavailable,
    TooManyBacktests,
    TooManyOpenOrders,
    TradingWindowError,
    UnknownOrder,
    UnknownPermit,
    UnknownStrategy,
    UnknownSymbol,
    UnknownWindow,
    UnsupportedMediaType,
    WindowExists,
)
from shared.wire import TradeAnswer, TradeList, answer_to


def test_instants_are_written_in_utc_with_six_decimals() -> None:
    assert utc_text(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2024-01-02T03:04:05.000000Z"
    assert utc_text(datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2024-01-02T03:04:05.000006Z"
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert utc_text(datetime(2024, 1, 1, 2, 0, tzinfo=kathmandu)) == "2023-12-31T20:15:00.000000Z"


def test_a_naive_instant_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"^instant: 2024-01-02T00:00:00 is not aware of its time zone$"):
        utc_text(datetime(2024, 1, 2))  # noqa: DTZ001 - the point of this test


OUTSIDE = Reason(
    code="OUTSIDE_HOURS", sentence="outside the trading window 9:00 - 17:00", value="17:00", bound="9:00 - 17:00"
)
LIMIT = Reason(code="DAILY_LIMIT", sentence="daily trade limit of 5 reached", value=5, bound=5)
HALTED = Reason(code="HALTED", sentence="halted: exchange down", value="exchange down", bound=None)


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (InvalidField("side", 1, '"buy" or "sell"'), 400, {"error": 'side: 1 is not "buy" or "sell"'}),
        (MalformedBody("it is not UTF-8"), 400, {"error": "the body is malformed: it is not UTF-8"}),
        (BotIsRunning(), 400, {"error": "the bot is running already"}),
        (BotIsStopped(), 400, {"error": "the bot is not running"}),
        (Refused(OUTSIDE), 403, {"error": "outside the trading window 9:00 - 17:00", "trading_hours": "9:00 - 17:00"}),
        (Refused(HALTED), 403, {"error": "halted: exchange down"}),
        (Refused(HALTED, OUTSIDE, LIMIT), 403, {"error": "halted: exchange down"}),
        (UnknownWindow("x"), 404, {"error": "no trading window is named 'x'"}),
        (
            Refused(LIMIT, OUTSIDE),
            409,
            {"error": "daily trade limit of 5 reached", "trades_today": 5, "max_trades_per_day": 5},
        ),
        (UnknownPermit("p-1"), 404, {"error": "no permit is named 'p-1'"}),
        (
            WindowExists("w"),
            409,
            {"error": "a trading window named 'w' is there already, with another config"},
        ),
        (
            PermitConflict("p-1", "in_doubt", "sent"),
            409,
            {"error": "permit 'p-1' is in doubt, and can't be sent any more"},
        ),
        (
            PermitOfOrder("p-1", "paper-1", "open"),
            409,
            {
                "error": "permit 'p-1' is of order 'paper-1', which the broker shows as open: it is ended by what "
                "comes of the order"
            },
        ),
        (
            ServedByLegacy(("calendar", "blackouts"), ("GET /a", "POST /b")),
            409,
            {
                "error": "the old side doesn't know calendar, blackouts, and these endpoints are not in mode native: "
                "GET /a, POST /b; move them first (tradewindow cutover set ... native), or leave those keys out"
            },
        ),
        (
            ConfigBeyondLegacy(("calendar", "blackouts")),
            503,
            {"error": "the window's config needs the new side, for the old one doesn't know: calendar, blackouts"},
        ),
        (UnknownSymbol("DOGE"), 404, {"error": "no symbol is named 'DOGE'"}),
        (UnknownOrder("paper-1"), 404, {"error": "no order is named 'paper-1'"}),
        (
            OrderClosed("paper-1", "filled"),
            409,
            {"error": "order 'paper-1' is filled, and can't be cancelled any more"},
        ),
        (
            InsufficientBalance("USD", "100.05", "99.95"),
            409,
            {
                "error": "the order needs 100.05 USD, and 99.95 USD are available",
                "currency": "USD",
                "needed": "100.05",
                "available": "99.95",
            },
        ),
        (
            NothingToReduce("BTC-USD", "sell"),
            409,
            {"error": "no position in 'BTC-USD' is reduced by an order to sell"},
        ),
        (TooManyOpenOrders(500), 409, {"error": "500 orders are open, as many as may"}),
        (ClientOrderIdReused("c-1"), 422, {"error": 'client_order_id: "c-1" was used for another order'}),
        (CalendarUnavailable("XSTO", "no room"), 503, {"error": "the calendar XSTO can't be had: no room"}),
        (
            UnknownStrategy("x", ("ema_crossover", "rsi")),
            400,
            {"error": 'strategy: "x" is not one of ema_crossover, rsi'},
        ),
        (
            BrokenStrategy("x", "no module named y"),
            503,
            {"error": "the strategy 'x' can't be used: no module named y"},
        ),
        (BodyTooLarge(1_000_000), 413, {"error": "the body is larger than 1000000 bytes"}),
        (UnsupportedMediaType(None), 415, {"error": "Content-Type: missing is not application/json"}),
        (KeyReused("k"), 422, {"error": 'Idempotency-Key: "k" was used for a request with another body'}),
        (SettingsError("port: 0 is not a port"), 500, {"error": "port: 0 is not a port"}),
        (TradingWindowError("odd"), 500, {"error": "odd"}),
        (StoreUnavailable("disk full"), 503, {"error": "the store can't answer: disk full"}),
        (MarketUnavailable("no route"), 503, {"error": "the market can't answer: no route"}),
        (ExchangeUnavailable("no route"), 503, {"error": "the exchange can't answer: no route"}),
        (ExchangeRefused("InsufficientFunds", "too little"), 502, {"error": "the exchange refuses: too little"}),
        (
            OtherAccount("real money", "paper money"),
            409,
            {
                "error": "the bot trades real money, and this process would trade paper money: give it the settings of "
                "the bot ([broker], [market], [exchange]), or a store of its own (store.path)"
            },
        ),
        (
            OrderOnItsWay("key-1"),
            409,
            {"error": "an order with this key is on its way, and what comes of it isn't known yet"},
        ),
        (OutcomeUnknown("it broke"), 503, {"error": "nobody knows what came of it at the exchange: it broke"}),
        (
            CandleFileError(Path("btc.csv"), "it is not UTF-8"),
            500,
            {"error": "the candle file btc.csv can't be read: it is not UTF-8"},
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_answer_to_every_error(error: TradingWindowError, status: int, body: dict[str, Any]) -> None:
    assert answer_to(error) == (status, body)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CALENDAR_CLOSED", 403),
        ("CALENDAR_UNKNOWN", 403),
        ("BLACKOUT", 403),
        ("SYMBOL_LIMIT", 409),
        ("SIDE_LIMIT", 409),
        ("STRATEGY_LIMIT", 409),
        ("COOLDOWN", 409),
        ("SYMBOL_COOLDOWN", 409),
        ("PERMIT_LIMIT", 409),
    ],
)
def test_a_refusal_by_the_time_is_forbidden_and_one_by_what_happened_a_conflict(code: ReasonCode, status: int) -> None:
    refusal = Refused(Reason(code=code, sentence="not now", value=1, bound=1))
    assert answer_to(refusal) == (status, {"error": "not now"})


def test_every_error_has_its_answer() -> None:
    """A new error must be given a status here, or be one of those that mean a mistake of ours."""
    answered = {
        *(InvalidField, MalformedBody, UnsupportedMediaType, BodyTooLarge, KeyReused, UnknownWindow, UnknownPermit),
        *(WindowExists, PermitConflict, PermitOfOrder, ServedByLegacy, ConfigBeyondLegacy, CalendarUnavailable),
        *(
            StoreUnavailable,
            BrokenStrategy,
            MarketUnavailable,
            ExchangeUnavailable,
            ExchangeRefused,
            OutcomeUnknown,
            CandleFileError,
        ),
        *(Refused, SettingsError, UnknownSymbol, UnknownOrder, OrderClosed, InsufficientBalance, NothingToReduce),
        *(TooManyOpenOrders, ClientOrderIdReused, OrderOnItsWay, BotIsRunning, BotIsStopped, OtherAccount),
        # Which process runs the bot is no request's business.
        *(LeaseHeld, LeaseLost),
        *(TooManyBacktests, BacktestTooLong, BacktestFailed),
    }
    ours = {kind for kind in TradingWindowError.__subclasses__() if kind.__module__.startswith("shared.errors.")}
    assert ours == answered


def test_a_trade_without_trade_data_can_be_answered() -> None:
    trade = dict.fromkeys(["symbol", "side", "quantity", "price", "strategy"])
    stamp = {"id": "trade-1", "executed_at": "2024-01-02T03:04:05.000000Z", "trade_day": "2024-01-02"}
    answer = {"trade": {**stamp, **trade}, "trades_today": 6, "remaining_trades": 0}
    assert TradeAnswer.model_validate(answer).model_dump(exclude_unset=True) == answer


def test_a_trade_that_only_reduces_can_be_answered() -> None:
    trade = {"id": "t-1", "symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "1", "strategy": None}
    stamp = {"executed_at": "2024-01-02T03:04:05.000000Z", "trade_day": "2024-01-02"}
    answer = {"trades": [{**trade, **stamp, "reduces": True}], "count": 1}
    assert TradeList.model_validate(answer).model_dump() == answer
