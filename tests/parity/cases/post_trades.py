"""`POST /api/trading-window/trades`: what is counted, and what is refused by the rules."""

from shared.window import Trade
from tests.parity.case import (
    NOT_FOUND,
    TRADE,
    At,
    Case,
    HaltedBy,
    Left,
    Step,
    answers,
    entry_of,
    entry_of_day,
    error,
    get,
    not_allowed,
    ok,
    post_trade,
    registered,
    stray,
    trade_of,
)
from tests.parity.case_refusals import limit_reached, outside_hours

FIRST = trade_of("trade-1", "2025-03-03T12:00:00")
SECOND = trade_of("trade-2", "2025-03-03T12:00:00")


def taken(trade: Trade, *, trades_today: int, remaining: int) -> Step:
    return post_trade(TRADE), registered(trade, trades_today=trades_today, remaining=remaining)


def full(trades_today: int, limit: int) -> Step:
    return post_trade(TRADE), limit_reached(trades_today, limit)


def outside(hours: str) -> Step:
    return post_trade(TRADE), outside_hours(hours)


CASES = (
    Case(
        name="trades: the first of a day",
        at="2025-03-03T12:30:15.123456Z",
        steps=(
            (
                post_trade(
                    '{"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}'
                ),
                answers(
                    201,
                    '{"remaining_trades":4,"trade":{"executed_at":"2025-03-03T12:30:15.123456Z","id":"trade-1",'
                    '"price":"64250.10","quantity":"0.50","side":"buy","strategy":"rsi","symbol":"BTC-USD",'
                    '"trade_day":"2025-03-03"},"trades_today":1}',
                ),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            tally={"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {"rsi": 1}},
            last_trades={"*": "2025-03-03T12:30:15.123456Z", "BTC-USD": "2025-03-03T12:30:15.123456Z"},
            ledger=(
                entry_of(
                    1,
                    {
                        "id": "trade-1",
                        "symbol": "BTC-USD",
                        "side": "buy",
                        "quantity": "0.50",
                        "price": "64250.10",
                        "strategy": "rsi",
                        "executed_at": "2025-03-03T12:30:15.123456Z",
                        "trade_day": "2025-03-03",
                    },
                ),
            ),
        ),
        also_on_sqlite=True,
        rows=(13, 14, 16, 17, 24),
    ),
    Case(
        name="trades: a refused trade takes no id's place in the ledger, and the last slot is the last",
        config={"max_trades_per_day": 2},
        steps=(
            taken(FIRST, trades_today=1, remaining=1),
            taken(SECOND, trades_today=2, remaining=0),
            full(2, 2),
            full(2, 2),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":false}')),
            At("2025-03-04T00:00:00Z"),
            taken(trade_of("trade-5", "2025-03-04T00:00:00"), trades_today=1, remaining=1),
        ),
        leaves=Left(
            trade_day="2025-03-04",
            trades_today=1,
            tally={"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}},
            last_trades={"*": "2025-03-04T00:00:00.000000Z", "BTC-USD": "2025-03-04T00:00:00.000000Z"},
            ledger=(
                entry_of(1, FIRST),
                entry_of(2, SECOND),
                entry_of_day(3, "2025-03-04T00:00:00Z", before="2025-03-03", after="2025-03-04", trades=2),
                entry_of(4, trade_of("trade-5", "2025-03-04T00:00:00")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(name="trades: a limit of none", config={"max_trades_per_day": 0}, steps=(full(0, 0),)),
    Case(
        name="trades: a count past the limit is told as it is",
        trade_day="2025-03-03",
        trades_today=7,
        steps=(full(7, 5),),
    ),
    Case(
        name="trades: outside the hours",
        config={"start_hour": 9, "end_hour": 17},
        at="2025-03-03T08:59:59.999999Z",
        steps=(
            outside("9:00 - 17:00"),
            At("2025-03-03T17:00:00Z"),
            outside("9:00 - 17:00"),
            At("2025-03-03T16:59:59Z"),
            taken(trade_of("trade-3", "2025-03-03T16:59:59"), trades_today=1, remaining=4),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            ledger=(entry_of(1, trade_of("trade-3", "2025-03-03T16:59:59")),),
        ),
    ),
    Case(
        name="trades: start after end is never open",
        config={"start_hour": 22, "end_hour": 6},
        at="2025-03-03T23:00:00Z",
        steps=(outside("22:00 - 6:00"), At("2025-03-04T03:00:00Z"), outside("22:00 - 6:00")),
    ),
    Case(
        name="trades: outside the hours comes before the limit",
        config={"start_hour": 9, "end_hour": 17},
        at="2025-03-03T20:00:00Z",
        trade_day="2025-03-03",
        trades_today=5,
        steps=(outside("9:00 - 17:00"),),
    ),
    Case(
        name="trades: a halt comes before the hours and the limit, until it is lifted",
        config={"start_hour": 9, "end_hour": 17},
        at="2025-03-03T20:00:00Z",
        trade_day="2025-03-03",
        trades_today=5,
        halt="exchange down",
        steps=(
            (post_trade(TRADE), error(403, "halted: exchange down")),
            HaltedBy('Ä "quoted" reason'),
            (post_trade(TRADE), answers(403, '{"error":"halted: \\u00c4 \\"quoted\\" reason"}')),
            HaltedBy(None),
            outside("9:00 - 17:00"),
            At("2025-03-03T12:00:00Z"),
            full(5, 5),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=5),
        also_on_sqlite=True,
        rows=(15,),
    ),
    Case(
        name="trades: numbers and strings are read exactly and printed plain, with the digits as they came",
        config={"max_trades_per_day": 20},
        steps=tuple(
            (
                post_trade(f'{{"symbol":"ETH-USD","side":"sell","quantity":{given},"price":{given}}}'),
                registered(
                    trade_of(
                        f"trade-{number}",
                        "2025-03-03T12:00:00",
                        symbol="ETH-USD",
                        side="sell",
                        quantity=plain,
                        price=plain,
                    ),
                    trades_today=number,
                    remaining=20 - number,
                ),
            )
            for number, (given, plain) in enumerate(
                (
                    ("1", "1"),
                    ("1.50", "1.50"),
                    ('"1.50"', "1.50"),
                    ("0.1", "0.1"),
                    ("1e2", "100"),
                    ('"1E+2"', "100"),
                    ("5e-3", "0.005"),
                    ("0.30000000000000000", "0.30000000000000000"),
                    ("999999999999999999.999999999999999999", "999999999999999999.999999999999999999"),
                    ("0.000000000000000001", "0.000000000000000001"),
                    ("9007199254740993", "9007199254740993"),
                ),
                start=1,
            )
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=11,
            tally={"symbol": {"ETH-USD": 11}, "side": {"sell": 11}, "strategy": {}},
            last_trades={"*": "2025-03-03T12:00:00.000000Z", "ETH-USD": "2025-03-03T12:00:00.000000Z"},
            ledger=tuple(
                entry_of(
                    number,
                    trade_of(
                        f"trade-{number}",
                        "2025-03-03T12:00:00",
                        symbol="ETH-USD",
                        side="sell",
                        quantity=plain,
                        price=plain,
                    ),
                )
                for number, plain in enumerate(
                    (
                        "1",
                        "1.50",
                        "1.50",
                        "0.1",
                        "100",
                        "100",
                        "0.005",
                        "0.30000000000000000",
                        "999999999999999999.999999999999999999",
                        "0.000000000000000001",
                        "9007199254740993",
                    ),
                    start=1,
                )
            ),
        ),
        rows=(18,),
    ),
    Case(
        name="trades: an absent strategy is null, one beyond ASCII is escaped",
        steps=(
            (
                post_trade('{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10","strategy":null}'),
                registered(FIRST, trades_today=1, remaining=4),
            ),
            (
                post_trade(
                    '{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10","strategy":"återköp"}'
                ),
                answers(
                    201,
                    '{"remaining_trades":3,"trade":{"executed_at":"2025-03-03T12:00:00.000000Z","id":"trade-2",'
                    '"price":"64250.10","quantity":"0.50","side":"buy","strategy":"\\u00e5terk\\u00f6p",'
                    '"symbol":"BTC-USD","trade_day":"2025-03-03"},"trades_today":2}',
                ),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            tally={"symbol": {"BTC-USD": 2}, "side": {"buy": 2}, "strategy": {"återköp": 1}},
            ledger=(
                entry_of(1, FIRST),
                entry_of(2, trade_of("trade-2", "2025-03-03T12:00:00", strategy="återköp")),
            ),
        ),
        rows=(15,),
    ),
    Case(
        name="trades: other methods and slashes",
        steps=(
            (stray("DELETE", "/api/trading-window/trades"), not_allowed("GET, HEAD, OPTIONS, POST")),
            (stray("PUT", "/api/trading-window/trades", body=b"{}"), not_allowed("GET, HEAD, OPTIONS, POST")),
            (stray("POST", "/api/trading-window/trades/", body=TRADE.encode()), NOT_FOUND),
        ),
        rows=(2, 33),
    ),
)
