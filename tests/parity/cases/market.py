"""`/api/market/…` and `/api/orderbook/…`"""

from datetime import datetime, timedelta

from tests.parity.case import (
    NOT_FOUND,
    Answer,
    At,
    Case,
    MarketFails,
    Request,
    Step,
    allows,
    error,
    get,
    head,
    head_of,
    moved,
    not_allowed,
    ok,
    stray,
)
from tests.parity.case_refusals import FAULT, MARKET_AWAY, MARKET_FAILS, STORE_FAILS, TIMEFRAME_RULE

TICKER = "/api/market/ticker"
OHLCV = "/api/market/ohlcv"
BOOK = "/api/orderbook"
EACH = (TICKER, OHLCV, BOOK)

CANDLE_LIMIT = "a whole number from 1 to 1000"
LEVEL_LIMIT = "a whole number from 1 to 100"

BITCOIN = ok(
    '{"ask":"64250.15","bid":"64250.05","last":"64250.10","symbol":"BTC-USD",'
    '"timestamp":"2025-03-03T11:59:59.000000Z","volume_24h":"1000"}'
)
ETHER = ok(
    '{"ask":"0.00000151","bid":"0.00000149","last":"0.00000150","symbol":"ETH-USD",'
    '"timestamp":"2025-03-03T11:59:59.000000Z","volume_24h":"1000"}'
)
CANDLES = (
    '{"close":"1.50","high":"2","low":"0.75","open":"1","timestamp":"2025-03-03T11:57:00.000000Z","volume":"7.00"}',
    '{"close":"2.50","high":"3","low":"1.75","open":"2","timestamp":"2025-03-03T11:58:00.000000Z","volume":"7.00"}',
    '{"close":"3.50","high":"4","low":"2.75","open":"3","timestamp":"2025-03-03T11:59:00.000000Z","volume":"7.00"}',
)
THREE_LEVELS = ok(
    '{"asks":[["1001","2.50"],["1002","2.50"],["1003","2.50"]],'
    '"bids":[["1000","1.0"],["999","1.0"],["998","1.0"]],"symbol":"BTC-USD"}'
)


def candles(*shown: str, symbol: str = "BTC-USD", timeframe: str = "1m") -> Answer:
    return ok(f'{{"candles":[{",".join(shown)}],"symbol":"{symbol}","timeframe":"{timeframe}"}}')


def candles_at(*opens: str, timeframe: str) -> Answer:
    """Bitcoin's three, which open then."""
    return candles(
        *(
            candle.replace(f"2025-03-03T11:{57 + number}:00", instant)
            for number, (candle, instant) in enumerate(zip(CANDLES, opens, strict=True))
        ),
        timeframe=timeframe,
    )


def newest_of_ether(count: int) -> Answer:
    """Of 1,100 minutes."""
    noon = datetime.fromisoformat("2025-03-03T12:00:00")
    shown = (
        f'{{"close":"{price}.50","high":"{price + 1}","low":"{price - 1}.75","open":"{price}",'
        f'"timestamp":"{noon - timedelta(minutes=1_101 - price):%Y-%m-%dT%H:%M}:00.000000Z","volume":"7.00"}}'
        for price in range(1_101 - count, 1_101)
    )
    return candles(*shown, symbol="ETH-USD")


def book(levels: int) -> Answer:
    asks = ",".join(f'["{1_001 + place}","2.50"]' for place in range(levels))
    bids = ",".join(f'["{1_000 - place}","1.0"]' for place in range(levels))
    return ok(f'{{"asks":[{asks}],"bids":[{bids}],"symbol":"BTC-USD"}}')


def unknown(shown: str) -> Answer:
    """`shown` is the symbol as Python writes it."""
    return error(404, f"no symbol is named {shown}")


def bad(query: str, sentence: str, *, path: str, symbol: str = "BTC-USD") -> Step:
    return get(f"{path}/{symbol}?{query}"), error(400, sentence)


def each(symbol: str) -> tuple[Request, ...]:
    return tuple(get(f"{path}/{symbol}") for path in EACH)


CASES = (
    Case(
        name="ticker: prices as they are now, plain, with their digits",
        steps=(
            (get(f"{TICKER}/BTC-USD"), BITCOIN),
            (get(f"{TICKER}/ETH-USD"), ETHER),
            (get(f"{TICKER}/BTC-USD?limit=0&timeframe=x&limit"), BITCOIN),
            At("2025-03-03T23:59:59.500000Z"),
            (
                get(f"{TICKER}/BTC-USD"),
                ok(BITCOIN.body.decode().strip().replace("T11:59:59.000000", "T23:59:58.500000")),
            ),
        ),
    ),
    Case(
        name="ohlcv: the newest, the oldest of them first: a hundred minutes unless told otherwise, a thousand at most",
        steps=(
            (get(f"{OHLCV}/BTC-USD"), candles(*CANDLES)),
            (get(f"{OHLCV}/ETH-USD"), newest_of_ether(100)),
            (get(f"{OHLCV}/BTC-USD?limit=1"), candles(CANDLES[2])),
            (get(f"{OHLCV}/BTC-USD?limit=2"), candles(*CANDLES[1:])),
            (get(f"{OHLCV}/BTC-USD?limit=0003"), candles(*CANDLES)),
            (get(f"{OHLCV}/ETH-USD?limit=1000"), newest_of_ether(1_000)),
            bad("limit=1001", f'limit: "1001" is not {CANDLE_LIMIT}', path=OHLCV),
        ),
    ),
    Case(
        name="ohlcv: each timeframe, and candles that are closed alone",
        steps=(
            (get(f"{OHLCV}/BTC-USD?timeframe=1m"), candles(*CANDLES)),
            (
                get(f"{OHLCV}/BTC-USD?timeframe=5m"),
                candles_at("2025-03-03T11:45:00", "2025-03-03T11:50:00", "2025-03-03T11:55:00", timeframe="5m"),
            ),
            (
                get(f"{OHLCV}/BTC-USD?timeframe=15m"),
                candles_at("2025-03-03T11:15:00", "2025-03-03T11:30:00", "2025-03-03T11:45:00", timeframe="15m"),
            ),
            (
                get(f"{OHLCV}/BTC-USD?timeframe=1h"),
                candles_at("2025-03-03T09:00:00", "2025-03-03T10:00:00", "2025-03-03T11:00:00", timeframe="1h"),
            ),
            (
                get(f"{OHLCV}/BTC-USD?timeframe=1d"),
                candles_at("2025-02-28T00:00:00", "2025-03-01T00:00:00", "2025-03-02T00:00:00", timeframe="1d"),
            ),
            At("2025-03-03T11:59:59.999999Z"),
            (
                get(f"{OHLCV}/BTC-USD"),
                candles_at("2025-03-03T11:56:00", "2025-03-03T11:57:00", "2025-03-03T11:58:00", timeframe="1m"),
            ),
        ),
    ),
    Case(
        name="orderbook: the best price first, twenty levels unless told otherwise, a hundred at most",
        steps=(
            (get(f"{BOOK}/BTC-USD?limit=3"), THREE_LEVELS),
            (get(f"{BOOK}/BTC-USD"), book(20)),
            (get(f"{BOOK}/BTC-USD?limit=1"), book(1)),
            (get(f"{BOOK}/BTC-USD?limit=100"), book(100)),
            bad("limit=101", f'limit: "101" is not {LEVEL_LIMIT}', path=BOOK),
            (get(f"{BOOK}/BTC-USD?timeframe=x&limit=3"), THREE_LEVELS),
        ),
    ),
    Case(
        name="market: parameters that are repeated, unknown or wrong: a 400 before anybody looks at the symbol",
        steps=(
            (get(f"{OHLCV}/BTC-USD?limit=1&limit=2&limit=x"), candles(CANDLES[2])),
            (get(f"{OHLCV}/BTC-USD?timeframe=1m&timeframe=x&Limit=0&foo"), candles(*CANDLES)),
            (get(f"{OHLCV}/BTC-USD?%6Cimit=%31&=&&x"), candles(CANDLES[2])),
            bad("timeframe=x&timeframe=1m", f'timeframe: "x" is not {TIMEFRAME_RULE}', path=OHLCV),
            (get(f"{BOOK}/BTC-USD?limit=3&limit=1"), THREE_LEVELS),
            bad("limit=&limit=3", f'limit: "" is not {LEVEL_LIMIT}', path=BOOK),
            *(
                bad(f"limit={given}", f'limit: "{given}" is not {rule}', path=path)
                for path, rule in ((OHLCV, CANDLE_LIMIT), (BOOK, LEVEL_LIMIT))
                for given in ("", "0", "-1", "x", "1.0", "1e2", "9" * 30)
            ),
            *(
                bad(f"timeframe={given}", f'timeframe: "{given}" is not {TIMEFRAME_RULE}', path=OHLCV)
                for given in ("", "1M", "60", "1w", "2m", "01m", "1d1")
            ),
            bad("limit", f'limit: "" is not {LEVEL_LIMIT}', path=BOOK),
            bad("limit=%ff", f'limit: "\\ufffd" is not {LEVEL_LIMIT}', path=BOOK),
            bad("timeframe=1m%00", f'timeframe: "1m\\u0000" is not {TIMEFRAME_RULE}', path=OHLCV),
            bad("limit=0&timeframe=x", f'timeframe: "x" is not {TIMEFRAME_RULE}', path=OHLCV),
            bad("limit=0", f'limit: "0" is not {CANDLE_LIMIT}', path=OHLCV, symbol="BTC-EUR"),
            bad("timeframe=x", f'timeframe: "x" is not {TIMEFRAME_RULE}', path=OHLCV, symbol="BTC-EUR"),
            bad("limit=0", f'limit: "0" is not {LEVEL_LIMIT}', path=BOOK, symbol="BTC-EUR"),
        ),
        rows=(25, 26, 27),
    ),
    Case(
        name="market: an encoded symbol is the symbol, and any other is unknown, one in small letters too",
        steps=(
            (get(f"{TICKER}/%42TC-USD"), BITCOIN),
            (get(f"{TICKER}/BTC%2DUSD"), BITCOIN),
            (get(f"{OHLCV}/BTC%2dUS%44"), candles(*CANDLES)),
            (get(f"{BOOK}/%42%54%43%2D%55%53%44?limit=3"), THREE_LEVELS),
            *(
                (request, unknown(shown))
                for symbol, shown in (
                    ("BTC-EUR", "'BTC-EUR'"),
                    ("btc-usd", "'btc-usd'"),
                    ("BTCUSD", "'BTCUSD'"),
                    ("BTC-USD-", "'BTC-USD-'"),
                    ("A" * 200, f"'{'A' * 80}'"),
                    ("BTC-USD%20", "'BTC-USD '"),
                    ("BTC-USD%0A", "'BTC-USD\\n'"),
                    ("BTC-USD%00", "'BTC-USD\\x00'"),
                    ("BTC-USD%3Flimit=0", "'BTC-USD?limit=0'"),
                    ("BTC%252DUSD", "'BTC%2DUSD'"),
                    ("BTC+USD", "'BTC+USD'"),
                    ("BTC-USD;a=1", "'BTC-USD;a=1'"),
                    ("B%C3%A9ta", "'B\u00e9ta'"),
                    ("%ff", "'\ufffd'"),
                    ("%22", "'\"'"),
                    ("%2E%2E", "'..'"),
                )
                for request in each(symbol)
            ),
        ),
        rows=(29,),
    ),
    Case(
        name="market: HEAD, OPTIONS, other methods and slashes",
        steps=(
            (head(f"{TICKER}/BTC-USD"), head_of(BITCOIN)),
            (head(f"{OHLCV}/BTC-USD?limit=1"), head_of(candles(CANDLES[2]))),
            (head(f"{BOOK}/BTC-USD?limit=3"), head_of(THREE_LEVELS)),
            (head(f"{TICKER}/BTC-EUR"), head_of(unknown("'BTC-EUR'"))),
            (head(f"{BOOK}/BTC-EUR?limit=0"), head_of(error(400, f'limit: "0" is not {LEVEL_LIMIT}'))),
            *(
                step
                for path in EACH
                for step in (
                    (stray("OPTIONS", f"{path}/BTC-EUR"), allows("GET, HEAD, OPTIONS")),
                    (stray("POST", f"{path}/BTC-USD"), not_allowed("GET, HEAD, OPTIONS")),
                    (stray("DELETE", f"{path}/BTC-USD"), not_allowed("GET, HEAD, OPTIONS")),
                    (stray("GET", path), NOT_FOUND),
                    (stray("GET", f"{path}/"), NOT_FOUND),
                    (stray("GET", f"{path}/BTC%2FUSD"), NOT_FOUND),
                    (stray("GET", f"{path}/BTC/USD"), NOT_FOUND),
                    (stray("GET", f"{path}/BTC-USD/"), NOT_FOUND),
                    (stray("HEAD", f"{path}/BTC-USD/"), head_of(NOT_FOUND)),
                    (stray("GET", f"{path}//BTC-USD?limit=3"), moved(f"http://bot.example{path}/BTC-USD?limit=3")),
                )
            ),
        ),
        rows=(2, 33, 35, 36),
    ),
    Case(
        name="market: a market that can't answer, a fault of it, and a store that fails, which nobody asks",
        steps=(
            MARKET_FAILS,
            *((request, MARKET_AWAY) for request in each("BTC-USD")),
            (head(f"{TICKER}/BTC-USD"), head_of(MARKET_AWAY)),
            bad("limit=0", f'limit: "0" is not {LEVEL_LIMIT}', path=BOOK),
            (get("/api/health"), ok('{"status":"healthy"}')),
            MarketFails(RuntimeError("a secret of the machine")),
            *((request, FAULT) for request in each("BTC-USD")),
            MarketFails(None),
            STORE_FAILS,
            (get(f"{TICKER}/BTC-USD"), BITCOIN),
            (get(f"{OHLCV}/BTC-USD"), candles(*CANDLES)),
            (get(f"{BOOK}/BTC-USD?limit=3"), THREE_LEVELS),
        ),
        rows=(4, 5),
    ),
)
