"""`POST /api/trading-window/trades`: on which day a trade counts, by the zone's clock and through its changes."""

from tests.parity.case import At, Case, Left, MovedTo, entry_of, entry_of_day, trade_of
from tests.parity.cases.post_trades import full, taken

CASES = (
    Case(
        name="trades: the day turns at midnight in Stockholm, and a clock stepped back refills nothing",
        config={"timezone": "Europe/Stockholm", "max_trades_per_day": 2},
        trade_day="2025-03-03",
        trades_today=1,
        at="2025-03-03T22:59:59Z",
        steps=(
            taken(trade_of("trade-1", "2025-03-03T22:59:59", day="2025-03-03"), trades_today=2, remaining=0),
            full(2, 2),
            At("2025-03-03T23:00:00Z"),
            taken(trade_of("trade-3", "2025-03-03T23:00:00", day="2025-03-04"), trades_today=1, remaining=1),
            At("2025-03-03T22:59:58Z"),
            taken(trade_of("trade-4", "2025-03-03T22:59:58", day="2025-03-04"), trades_today=2, remaining=0),
            full(2, 2),
            At("2025-03-04T12:00:00Z"),
            full(2, 2),
        ),
        leaves=Left(
            trade_day="2025-03-04",
            trades_today=2,
            tally={"symbol": {"BTC-USD": 2}, "side": {"buy": 2}, "strategy": {}},
            last_trades={"*": "2025-03-03T23:00:00.000000Z", "BTC-USD": "2025-03-03T23:00:00.000000Z"},
            ledger=(
                entry_of(1, trade_of("trade-1", "2025-03-03T22:59:59", day="2025-03-03")),
                entry_of_day(2, "2025-03-03T23:00:00Z", before="2025-03-03", after="2025-03-04", trades=2),
                entry_of(3, trade_of("trade-3", "2025-03-03T23:00:00", day="2025-03-04")),
                entry_of(4, trade_of("trade-4", "2025-03-03T22:59:58", day="2025-03-04")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="trades: the day on which New York changes to summer time has 23 hours",
        config={"timezone": "America/New_York", "max_trades_per_day": 1},
        trade_day="2025-03-08",
        trades_today=1,
        at="2025-03-09T04:59:59Z",
        steps=(
            full(1, 1),
            At("2025-03-09T05:00:00Z"),
            taken(trade_of("trade-2", "2025-03-09T05:00:00", day="2025-03-09"), trades_today=1, remaining=0),
            At("2025-03-10T03:59:59Z"),
            full(1, 1),
            At("2025-03-10T04:00:00Z"),
            taken(trade_of("trade-4", "2025-03-10T04:00:00", day="2025-03-10"), trades_today=1, remaining=0),
        ),
        leaves=Left(
            trade_day="2025-03-10",
            trades_today=1,
            ledger=(
                entry_of_day(1, "2025-03-09T05:00:00Z", before="2025-03-08", after="2025-03-09", trades=1),
                entry_of(2, trade_of("trade-2", "2025-03-09T05:00:00", day="2025-03-09")),
                entry_of_day(3, "2025-03-10T04:00:00Z", before="2025-03-09", after="2025-03-10", trades=1),
                entry_of(4, trade_of("trade-4", "2025-03-10T04:00:00", day="2025-03-10")),
            ),
        ),
    ),
    Case(
        name="trades: the day on which Stockholm changes to winter time has 25 hours",
        config={"timezone": "Europe/Stockholm", "max_trades_per_day": 1},
        trade_day="2025-10-26",
        trades_today=1,
        at="2025-10-25T22:00:00Z",
        steps=(
            full(1, 1),
            At("2025-10-26T22:59:59Z"),
            full(1, 1),
            At("2025-10-26T23:00:00Z"),
            taken(trade_of("trade-3", "2025-10-26T23:00:00", day="2025-10-27"), trades_today=1, remaining=0),
        ),
        leaves=Left(
            trade_day="2025-10-27",
            trades_today=1,
            ledger=(
                entry_of_day(1, "2025-10-26T23:00:00Z", before="2025-10-26", after="2025-10-27", trades=1),
                entry_of(2, trade_of("trade-3", "2025-10-26T23:00:00", day="2025-10-27")),
            ),
        ),
    ),
    Case(
        name="trades: after a change of zone a trade counts on the stored day until the new date passes it",
        config={"timezone": "Asia/Tokyo", "max_trades_per_day": 2},
        at="2025-03-03T18:00:00Z",
        steps=(
            taken(trade_of("trade-1", "2025-03-03T18:00:00", day="2025-03-04"), trades_today=1, remaining=1),
            MovedTo("America/New_York"),
            At("2025-03-04T04:00:00Z"),
            taken(trade_of("trade-2", "2025-03-04T04:00:00", day="2025-03-04"), trades_today=2, remaining=0),
            At("2025-03-05T04:59:59Z"),
            full(2, 2),
            At("2025-03-05T05:00:00Z"),
            taken(trade_of("trade-4", "2025-03-05T05:00:00", day="2025-03-05"), trades_today=1, remaining=1),
        ),
        leaves=Left(
            trade_day="2025-03-05",
            trades_today=1,
            version=2,
            config={"timezone": "America/New_York"},
            ledger=(
                entry_of(1, trade_of("trade-1", "2025-03-03T18:00:00", day="2025-03-04")),
                entry_of(2, trade_of("trade-2", "2025-03-04T04:00:00", day="2025-03-04")),
                entry_of_day(3, "2025-03-05T05:00:00Z", before="2025-03-04", after="2025-03-05", trades=2),
                entry_of(4, trade_of("trade-4", "2025-03-05T05:00:00", day="2025-03-05")),
            ),
        ),
    ),
)
