"""What a client sees when the store can't answer, or a handler fails: JSON on both sides, and nothing is changed."""

from shared.errors import StoreUnavailable, UnknownWindow
from tests.parity.case import (
    TRADE,
    Case,
    Left,
    Request,
    StoreFails,
    entry_of,
    error,
    get,
    head,
    head_of,
    ok,
    post_trade,
    put_config,
    registered,
    trade_of,
)

ON_THE_STORE: tuple[Request, ...] = (
    get("/api/status"),
    get("/api/trading-window/within-window"),
    get("/api/trading-window/can-trade"),
    get("/api/trading-window/config"),
    get("/api/trading-window/trades"),
    post_trade(TRADE),
    post_trade(TRADE, key="order-1"),
    put_config('{"start_hour":9}'),
)
UNAVAILABLE = error(503, "the store can't answer: the disk is gone")
UNKNOWN = error(404, "no trading window is named 'default'")
FAULT = error(500, "internal server error")
SECOND = trade_of("trade-2", "2025-03-03T12:00:00")

CASES = (
    Case(
        name="faults: the store can't answer",
        steps=(
            StoreFails(StoreUnavailable("the disk is gone")),
            *((request, UNAVAILABLE) for request in ON_THE_STORE),
            (head("/api/trading-window/can-trade"), head_of(UNAVAILABLE)),
            (get("/api/health"), ok('{"status":"healthy"}')),
            (post_trade("{"), error(400, "the body is malformed: it is not JSON at line 1, column 2")),
            StoreFails(None),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":true}')),
        ),
        rows=(4,),
    ),
    Case(
        name="faults: a handler fails",
        steps=(
            StoreFails(RuntimeError("a secret of the machine")),
            *((request, FAULT) for request in ON_THE_STORE),
            (head("/api/trading-window/can-trade"), head_of(FAULT)),
            (get("/api/health"), ok('{"status":"healthy"}')),
            StoreFails(None),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":true}')),
        ),
        rows=(4, 5),
    ),
    Case(
        name="faults: the store doesn't know the window",
        steps=(
            StoreFails(UnknownWindow("default")),
            *((request, UNKNOWN) for request in ON_THE_STORE),
            (head("/api/trading-window/can-trade"), head_of(UNKNOWN)),
            (get("/api/health"), ok('{"status":"healthy"}')),
        ),
    ),
    Case(
        name="faults: a key whose write failed is free, and the trade is counted once",
        steps=(
            StoreFails(StoreUnavailable("the disk is gone")),
            (post_trade(TRADE, key="order-1"), UNAVAILABLE),
            StoreFails(None),
            (post_trade(TRADE, key="order-1"), registered(SECOND, trades_today=1, remaining=4)),
            (post_trade(TRADE, key="order-1"), registered(SECOND, trades_today=1, remaining=4)),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, ledger=(entry_of(1, SECOND),)),
    ),
)
