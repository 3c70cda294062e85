"""`POST /api/trading-window/trades` with an `Idempotency-Key`. Two of the arms change sides with each request, so each
replay is also one across the sides, both ways."""

from tests.parity.case import (
    TRADE,
    Answer,
    At,
    Case,
    HaltedBy,
    Left,
    Request,
    entry_of,
    entry_of_config_change,
    entry_of_day,
    error,
    get,
    ok,
    post_trade,
    put_config,
    registered,
    trade_of,
)
from tests.parity.case_refusals import KEY_REUSED, NINE_TO_FIVE, SHUT, limit_reached

FIRST = trade_of("trade-1", "2025-03-03T12:00:00")

FULL = limit_reached(1, 1)


def keyed(body: str = TRADE) -> Request:
    return post_trade(body, key="order-1")


def bad_key(key: str, shown: str) -> tuple[Request, Answer]:
    return post_trade(TRADE, key=key), error(400, f"Idempotency-Key: {shown} is not 1 to 255 visible ASCII characters")


CASES = (
    Case(
        name="keys: an equal request gets the first 201 again, and nothing is counted",
        steps=(
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            (
                post_trade(TRADE),
                registered(trade_of("trade-3", "2025-03-03T12:00:00"), trades_today=2, remaining=3),
            ),
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            ledger=(entry_of(1, FIRST), entry_of(2, trade_of("trade-3", "2025-03-03T12:00:00"))),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="keys: a replay after the window has closed, the limit is reached, a halt, and days later",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1},
        steps=(
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            (post_trade(TRADE), FULL),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            At("2025-03-03T20:00:00Z"),
            (post_trade(TRADE), SHUT),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            HaltedBy("maintenance"),
            (post_trade(TRADE), error(403, "halted: maintenance")),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            At("2025-03-09T20:00:00Z"),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            At("2025-03-01T20:00:00Z"),
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            (keyed(TRADE.replace("0.50", "0.51")), KEY_REUSED),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, halt="maintenance", ledger=(entry_of(1, FIRST),)),
        also_on_sqlite=True,
    ),
    Case(
        name="keys: another body is refused, also where the rules would refuse it",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1},
        steps=(
            (keyed(), registered(FIRST, trades_today=1, remaining=0)),
            *(
                (keyed(other), KEY_REUSED)
                for other in (
                    TRADE.replace("BTC", "ETH"),
                    TRADE.replace("buy", "sell"),
                    TRADE.replace("0.50", "0.51"),
                    TRADE.replace("64250.10", "64250.11"),
                    TRADE[:-1] + ',"strategy":"rsi"}',
                )
            ),
            At("2025-03-03T20:00:00Z"),
            (keyed(TRADE.replace("buy", "sell")), KEY_REUSED),
            HaltedBy("maintenance"),
            (keyed(TRADE.replace("buy", "sell")), KEY_REUSED),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, halt="maintenance", ledger=(entry_of(1, FIRST),)),
        also_on_sqlite=True,
    ),
    Case(
        name="keys: bodies are compared by what they say, and the first one's digits are answered",
        steps=(
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            *(
                (keyed(other), registered(FIRST, trades_today=1, remaining=4))
                for other in (
                    '{"price": 64250.10, "quantity": 0.50, "side": "buy", "symbol": "BTC-USD"}',
                    TRADE[:-1] + ',"strategy":null}',
                    TRADE.replace("0.50", "0.5"),
                    TRADE.replace('"0.50"', "5e-1"),
                    TRADE.replace("64250.10", "64250.1000"),
                    TRADE.replace("BTC", "\\u0042TC"),
                )
            ),
        ),
        leaves=Left(trade_day="2025-03-03", trades_today=1, ledger=(entry_of(1, FIRST),)),
    ),
    Case(
        name="keys: a refusal is not kept, the same key is judged anew",
        config={**NINE_TO_FIVE, "max_trades_per_day": 1},
        at="2025-03-03T08:00:00Z",
        steps=(
            (keyed(), SHUT),
            HaltedBy("maintenance"),
            (keyed(), error(403, "halted: maintenance")),
            HaltedBy(None),
            (
                post_trade(TRADE.replace("buy", "hold"), key="order-1"),
                error(400, 'side: "hold" is not "buy" or "sell"'),
            ),
            At("2025-03-03T12:00:00Z"),
            (
                post_trade(TRADE),
                registered(trade_of("trade-3", "2025-03-03T12:00:00"), trades_today=1, remaining=0),
            ),
            (keyed(), FULL),
            At("2025-03-04T12:00:00Z"),
            (
                keyed(TRADE.replace("buy", "sell")),
                registered(trade_of("trade-5", "2025-03-04T12:00:00", side="sell"), trades_today=1, remaining=0),
            ),
            (keyed(), KEY_REUSED),
        ),
        leaves=Left(
            trade_day="2025-03-04",
            trades_today=1,
            ledger=(
                entry_of(1, trade_of("trade-3", "2025-03-03T12:00:00")),
                entry_of_day(2, "2025-03-04T12:00:00Z", before="2025-03-03", after="2025-03-04", trades=1),
                entry_of(3, trade_of("trade-5", "2025-03-04T12:00:00", side="sell")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="keys: what a key was answered outlives a change of the rules",
        steps=(
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            (
                put_config('{"start_hour":13,"end_hour":12,"max_trades_per_day":0}'),
                ok('{"end_hour":12,"max_trades_per_day":0,"start_hour":13,"timezone":"UTC"}'),
            ),
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
            (get("/api/trading-window/can-trade"), ok('{"can_trade":false}')),
            (keyed(), registered(FIRST, trades_today=1, remaining=4)),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            version=2,
            config={"start_hour": 13, "end_hour": 12, "max_trades_per_day": 0},
            ledger=(
                entry_of(1, FIRST),
                entry_of_config_change(
                    2,
                    "2025-03-03T12:00:00Z",
                    before={},
                    after={"start_hour": 13, "end_hour": 12, "max_trades_per_day": 0},
                ),
            ),
        ),
    ),
    Case(
        name="keys: what a key may look like",
        steps=(
            bad_key("", '""'),
            bad_key("a b", '"a b"'),
            bad_key("tab\there", '"tab\\there"'),
            bad_key("nyckel-å", '"nyckel-\\u00e5"'),
            bad_key("\x7f", '"\\u007f"'),
            bad_key("k" * 256, '"' + "k" * 79),
            (post_trade(TRADE, key="k" * 255), registered(FIRST, trades_today=1, remaining=4)),
            (
                post_trade(TRADE, key="!#\"'{}~,;="),
                registered(trade_of("trade-2", "2025-03-03T12:00:00"), trades_today=2, remaining=3),
            ),
            (post_trade(TRADE, key="k" * 255), registered(FIRST, trades_today=1, remaining=4)),
            (
                post_trade(TRADE, key="K" * 255),
                registered(trade_of("trade-4", "2025-03-03T12:00:00"), trades_today=3, remaining=2),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=3,
            ledger=(
                entry_of(1, FIRST),
                entry_of(2, trade_of("trade-2", "2025-03-03T12:00:00")),
                entry_of(3, trade_of("trade-4", "2025-03-03T12:00:00")),
            ),
        ),
    ),
    Case(
        name="keys: a key that comes twice is both, joined by a comma",
        steps=(
            (
                post_trade(TRADE, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")),
                registered(FIRST, trades_today=1, remaining=4),
            ),
            (post_trade(TRADE, key="a,b"), registered(FIRST, trades_today=1, remaining=4)),
            (
                post_trade(TRADE, key="a"),
                registered(trade_of("trade-3", "2025-03-03T12:00:00"), trades_today=2, remaining=3),
            ),
            (
                post_trade(TRADE, ("idempotency-KEY", "a")),
                registered(trade_of("trade-3", "2025-03-03T12:00:00"), trades_today=2, remaining=3),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            ledger=(entry_of(1, FIRST), entry_of(2, trade_of("trade-3", "2025-03-03T12:00:00"))),
        ),
    ),
)
