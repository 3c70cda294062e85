"""`GET /api/trading-window/trades`"""

from shared.window import Trade
from tests.parity.case import (
    NOT_FOUND,
    TRADE,
    Answer,
    At,
    Case,
    Left,
    Step,
    allows,
    entry_of,
    entry_of_config_change,
    error,
    get,
    head,
    head_of,
    ok,
    post_trade,
    put_config,
    registered,
    stray,
    trade_of,
    written,
)
from tests.parity.case_refusals import LIST_LIMIT_RULE, SYMBOL_RULE

TRADES = (
    trade_of("a", "2025-03-01T10:00:00"),
    trade_of("b", "2025-03-01T23:30:00", day="2025-03-02", symbol="ETH-USD", side="sell", strategy="rsi"),
    trade_of("c", "2025-03-02T10:00:00", symbol="ETH-USD"),
    trade_of("d", "2025-03-02T11:00:00", quantity="1", price="1.5"),
    trade_of("e", "2025-03-03T11:00:00", symbol=None, side=None, quantity=None, price=None),
)
A, B, C, D, E = TRADES

DATE = "a date, written YYYY-MM-DD"

MANY = tuple(
    trade_of(f"{number:03}", f"2025-02-{1 + number // 100:02}T00:{number % 60:02}:00") for number in range(1, 502)
)


def listed(*trades: Trade) -> Answer:
    return ok(f'{{"count":{len(trades)},"trades":[{",".join(map(written, trades))}]}}')


def asks(query: str, *trades: Trade) -> Step:
    return get(f"/api/trading-window/trades?{query}"), listed(*trades)


def bad(query: str, sentence: str) -> Step:
    return get(f"/api/trading-window/trades?{query}"), error(400, sentence)


CASES = (
    Case(
        name="list: no trade yet",
        steps=((get("/api/trading-window/trades"), ok('{"count":0,"trades":[]}')),),
        also_on_sqlite=True,
    ),
    Case(
        name="list: newest first, a trade without data with nulls",
        trades=(D, E),
        steps=(
            (
                get("/api/trading-window/trades"),
                ok(
                    '{"count":2,"trades":['
                    '{"executed_at":"2025-03-03T11:00:00.000000Z","id":"e","price":null,"quantity":null,"side":null,'
                    '"strategy":null,"symbol":null,"trade_day":"2025-03-03"},'
                    '{"executed_at":"2025-03-02T11:00:00.000000Z","id":"d","price":"1.5","quantity":"1","side":"buy",'
                    '"strategy":null,"symbol":"BTC-USD","trade_day":"2025-03-02"}]}'
                ),
            ),
        ),
        rows=(13, 14, 16, 17, 18),
    ),
    Case(
        name="list: by trade day, by symbol, up to a limit",
        trades=TRADES,
        steps=(
            asks("", E, D, C, B, A),
            asks("date=2025-03-02", D, C, B),
            asks("date=2025-03-01", A),
            asks("date=2024-02-29"),
            asks("symbol=ETH-USD", C, B),
            asks("symbol=BTC-USD", D, A),
            asks("symbol=XRP"),
            asks("limit=1", E),
            asks("limit=2", E, D),
            asks("limit=500", E, D, C, B, A),
            asks("limit=0005", E, D, C, B, A),
            asks("date=2025-03-02&symbol=ETH-USD&limit=1", C),
            asks("limit=1&symbol=BTC-USD&date=2025-03-01", A),
            asks("date=2025-03-01&symbol=ETH-USD"),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="list: of a repeated parameter the first value counts",
        trades=TRADES,
        steps=(
            asks("limit=1&limit=2", E),
            asks("limit=2&limit=x", E, D),
            asks("symbol=ETH-USD&symbol=BTC-USD&symbol=", C, B),
            bad("limit=&limit=2", f'limit: "" is not {LIST_LIMIT_RULE}'),
            bad("date=x&date=2025-03-01", f'date: "x" is not {DATE}'),
        ),
        rows=(25,),
    ),
    Case(
        name="list: encodings of the query, and parameters that nobody knows",
        trades=TRADES,
        steps=(
            asks("date=2025%2D03%2d02", D, C, B),
            asks("%64ate=2025-03-01", A),
            asks("Limit=1&foo=bar&limit[]=1&&=&x", E, D, C, B, A),
            bad("limit=2;date=1", f'limit: "2;date=1" is not {LIST_LIMIT_RULE}'),
            bad("limit=1+", f'limit: "1 " is not {LIST_LIMIT_RULE}'),
            bad("limit=%2B1", f'limit: "+1" is not {LIST_LIMIT_RULE}'),
            bad("limit=1%00", f'limit: "1\\u0000" is not {LIST_LIMIT_RULE}'),
            bad("symbol=BTC%2FUSD", f'symbol: "BTC/USD" is not {SYMBOL_RULE}'),
        ),
        rows=(26,),
    ),
    Case(
        name="list: a wrong limit",
        trades=(A,),
        steps=(
            *(
                bad(f"limit={given}", f'limit: "{given}" is not {LIST_LIMIT_RULE}')
                for given in ("", "0", "-1", "501", "x", "1.0", "1e2", "0x1", "true", "null", "5_0")
            ),
            bad("limit", f'limit: "" is not {LIST_LIMIT_RULE}'),
            bad("limit=" + "9" * 5_000, 'limit: "' + "9" * 79 + f" is not {LIST_LIMIT_RULE}"),
            bad("limit=%D9%A5", f'limit: "\\u0665" is not {LIST_LIMIT_RULE}'),
        ),
        rows=(26, 27),
    ),
    Case(
        name="list: a wrong date or symbol, the date first",
        trades=(A,),
        steps=(
            *(
                bad(f"date={given}", f'date: "{given}" is not {DATE}')
                for given in (
                    "",
                    "2025-3-1",
                    "2025-02-29",
                    "2025-13-01",
                    "20250301",
                    "2025-W09-6",
                    "01-03-2025",
                    "today",
                )
            ),
            bad("date=2025-03-01T00:00:00Z", f'date: "2025-03-01T00:00:00Z" is not {DATE}'),
            bad("date", f'date: "" is not {DATE}'),
            bad("date=0000-01-01", f'date: "0000-01-01" is not {DATE}'),
            bad("symbol=", f'symbol: "" is not {SYMBOL_RULE}'),
            bad("symbol=btc-usd", f'symbol: "btc-usd" is not {SYMBOL_RULE}'),
            bad("symbol=" + "A" * 33, f'symbol: "{"A" * 33}" is not {SYMBOL_RULE}'),
            bad("limit=0&symbol=-&date=x", f'date: "x" is not {DATE}'),
            bad("limit=0&symbol=-", f'symbol: "-" is not {SYMBOL_RULE}'),
            bad("symbol=" + "a" * 200, 'symbol: "' + "a" * 79 + f" is not {SYMBOL_RULE}"),
        ),
        rows=(26, 27),
    ),
    Case(
        name="list: bytes that are no UTF-8",
        trades=(A,),
        steps=(
            bad("date=%ff", f'date: "\\ufffd" is not {DATE}'),
            bad("symbol=BTC%C3%28", f'symbol: "BTC\\ufffd(" is not {SYMBOL_RULE}'),
            asks("%ff=1&note=%ff", A),
            bad("limit=%", f'limit: "%" is not {LIST_LIMIT_RULE}'),
            bad("limit=%zz", f'limit: "%zz" is not {LIST_LIMIT_RULE}'),
        ),
        rows=(29,),
    ),
    Case(
        name="list: fifty unless told otherwise, five hundred at most",
        trades=MANY,
        steps=(
            asks("", *reversed(MANY[-50:])),
            asks("limit=50", *reversed(MANY[-50:])),
            asks("limit=500", *reversed(MANY[-500:])),
            bad("limit=501", f'limit: "501" is not {LIST_LIMIT_RULE}'),
            asks("date=2025-02-01&limit=500", *reversed(MANY[:99])),
        ),
    ),
    Case(
        name="list: more parameters than are read",
        steps=(
            asks("&".join(["x=1"] * 1_000)),
            bad(
                "&".join(["x=1"] * 1_001),
                'query: "' + ("x=1&" * 20)[:79] + " is not a query of at most 1000 parameters",
            ),
        ),
    ),
    Case(
        name="list: what was registered, and no change of the config",
        steps=(
            (
                post_trade(TRADE),
                registered(trade_of("trade-1", "2025-03-03T12:00:00"), trades_today=1, remaining=4),
            ),
            (
                put_config('{"max_trades_per_day":9}'),
                ok('{"end_hour":24,"max_trades_per_day":9,"start_hour":0,"timezone":"UTC"}'),
            ),
            At("2025-03-02T12:00:00Z"),
            (
                post_trade(TRADE),
                registered(trade_of("trade-2", "2025-03-02T12:00:00", day="2025-03-03"), trades_today=2, remaining=7),
            ),
            asks(
                "",
                trade_of("trade-2", "2025-03-02T12:00:00", day="2025-03-03"),
                trade_of("trade-1", "2025-03-03T12:00:00"),
            ),
            asks("date=2025-03-02"),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=2,
            version=2,
            config={"max_trades_per_day": 9},
            ledger=(
                entry_of(1, trade_of("trade-1", "2025-03-03T12:00:00")),
                entry_of_config_change(2, "2025-03-03T12:00:00Z", before={}, after={"max_trades_per_day": 9}),
                entry_of(3, trade_of("trade-2", "2025-03-02T12:00:00", day="2025-03-03")),
            ),
        ),
        also_on_sqlite=True,
    ),
    Case(
        name="list: HEAD, OPTIONS and slashes",
        trades=(A,),
        steps=(
            (head("/api/trading-window/trades"), head_of(listed(A))),
            (head("/api/trading-window/trades?limit=0"), head_of(error(400, f'limit: "0" is not {LIST_LIMIT_RULE}'))),
            (stray("OPTIONS", "/api/trading-window/trades"), allows("GET, HEAD, OPTIONS, POST")),
            (stray("GET", "/api/trading-window/trades/?limit=1"), NOT_FOUND),
        ),
        rows=(33, 35, 36),
    ),
)
