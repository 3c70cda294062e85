"""What a client sees when the store can't answer, or a handler fails: JSON on both sides, and nothing is changed."""

from shared.errors import UnknownWindow
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
from tests.parity.case_refusals import FAULT, STORE_FAILS, STORE_GONE

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
UNKNOWN = error(404, "no trading window is named 'default'")
SECOND = trade_of("trade-2", "2025-03-03T12:00:00")

CASES = (
    Case(
        name="faults: the store can't answer",
        steps=(
            STORE_FAILS,
            *((request, STORE_GONE) for request in ON_THE_STORE),
            (head("/api/trading-window/can-trade"), head_of(STORE_GONE)),
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
            STORE_FAILS,
            (post_trade(TRADE, key="order-1"), STORE_GONE),
            StoreFails(None),
            (post_trade(TRADE, key="order-1"), registered(SECOND, trades_today=1, remaining=4)),
            (post_trade(TRADE, key="order-1"), registered(SECOND, trades_today=1, remaining=4)),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, ledger=(entry_of(1, SECOND),)),
    ),
)
