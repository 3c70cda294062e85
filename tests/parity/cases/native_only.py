"""What the old backend never had: served by native in every mode, so two arms suffice."""

from tests.parity.case import NOT_FOUND, At, Case, StoreFails, get, head, head_of, ok, stray
from tests.parity.case_refusals import FAULT, STORE_FAILS, STORE_GONE

STATE = get("/api/trading-window")
REMAINING = get("/api/trading-window/remaining-trades")

CASES = (
    Case(
        name="state: before the first trade",
        native_only=True,
        config={"start_hour": 9, "end_hour": 17},
        steps=(
            (
                STATE,
                ok(
                    '{"can_trade":true,"last_trade_date":null,"max_trades_per_day":5,"remaining_trades":5,'
                    '"trades_today":0,"trading_hours":"9:00 - 17:00","within_window":true}'
                ),
            ),
            (REMAINING, ok('{"remaining_trades":5}')),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="state: right on the morning after",
        native_only=True,
        config={"start_hour": 9, "end_hour": 17, "timezone": "Europe/Stockholm"},
        trade_day="2025-03-03",
        trades_today=5,
        at="2025-03-03T22:59:59Z",
        steps=(
            (
                STATE,
                ok(
                    '{"can_trade":false,"last_trade_date":"2025-03-03","max_trades_per_day":5,"remaining_trades":0,'
                    '"trades_today":5,"trading_hours":"9:00 - 17:00","within_window":false}'
                ),
            ),
            (REMAINING, ok('{"remaining_trades":0}')),
            At("2025-03-04T08:00:00Z"),
            (
                STATE,
                ok(
                    '{"can_trade":true,"last_trade_date":"2025-03-03","max_trades_per_day":5,"remaining_trades":5,'
                    '"trades_today":0,"trading_hours":"9:00 - 17:00","within_window":true}'
                ),
            ),
            (REMAINING, ok('{"remaining_trades":5}')),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="state: past the limit no number is below zero",
        native_only=True,
        config={"max_trades_per_day": 2},
        trade_day="2025-03-03",
        trades_today=7,
        steps=(
            (
                STATE,
                ok(
                    '{"can_trade":false,"last_trade_date":"2025-03-03","max_trades_per_day":2,"remaining_trades":0,'
                    '"trades_today":7,"trading_hours":"0:00 - 24:00","within_window":true}'
                ),
            ),
            (REMAINING, ok('{"remaining_trades":0}')),
        ),
    ),
    Case(
        name="state: a halt shows in none of it",
        native_only=True,
        halt="maintenance",
        steps=((REMAINING, ok('{"remaining_trades":5}')),),
    ),
    Case(
        name="state: HEAD follows GET, and slashes are Flask's, which knows no such path",
        native_only=True,
        steps=(
            (head("/api/trading-window/remaining-trades"), head_of(ok('{"remaining_trades":5}'))),
            (
                head("/api/trading-window"),
                head_of(
                    ok(
                        '{"can_trade":true,"last_trade_date":null,"max_trades_per_day":5,"remaining_trades":5,'
                        '"trades_today":0,"trading_hours":"0:00 - 24:00","within_window":true}'
                    )
                ),
            ),
            (stray("GET", "/api/trading-window/"), NOT_FOUND),
        ),
    ),
    Case(
        name="state: the store can't answer",
        native_only=True,
        steps=(
            STORE_FAILS,
            (STATE, STORE_GONE),
            (REMAINING, STORE_GONE),
            StoreFails(RuntimeError("a secret of the machine")),
            (STATE, FAULT),
            (REMAINING, FAULT),
        ),
    ),
)
