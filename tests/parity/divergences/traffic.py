"""Requests under which every divergence of the table shows, what happens around them, and the status of each answer."""

from shared.errors import MarketUnavailable, StoreUnavailable
from tests.parity.case import (
    At,
    Case,
    Event,
    HaltedBy,
    MarketFails,
    Request,
    StoreFails,
    get,
    head,
    post_trade,
    put_config,
    trade_of,
)
from tests.parity.cases.backtest import RUN, STRATEGIES, WAVE, post_backtest

MAX_BODY_BYTES = 1_024

HEALTH = "/api/health"
STATUS = "/api/status"
CAN_TRADE = "/api/trading-window/can-trade"
WITHIN_WINDOW = "/api/trading-window/within-window"
CONFIG = "/api/trading-window/config"
TRADES = "/api/trading-window/trades"

TICKER = "/api/market/ticker"
CANDLES = "/api/market/ohlcv"
ORDER_BOOK = "/api/orderbook"

GET_STRATEGIES = f"GET {STRATEGIES}"
RUN_BACKTEST = f"POST {RUN}"
GET_HEALTH = f"GET {HEALTH}"
GET_STATUS = f"GET {STATUS}"
GET_CAN_TRADE = f"GET {CAN_TRADE}"
GET_WITHIN_WINDOW = f"GET {WITHIN_WINDOW}"
GET_CONFIG = f"GET {CONFIG}"
PUT_CONFIG = f"PUT {CONFIG}"
GET_TRADES = f"GET {TRADES}"
POST_TRADE = f"POST {TRADES}"
GET_TICKER = f"GET {TICKER}/<symbol>"
GET_CANDLES = f"GET {CANDLES}/<symbol>"
GET_ORDER_BOOK = f"GET {ORDER_BOOK}/<symbol>"

BITCOIN = '{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}'
ETHER = '{"symbol":"ETH-USD","side":"sell","quantity":"1.5","price":"1850","strategy":"återköp"}'

BEFORE = Case(
    name="more trades than a page holds, the newest on Friday",
    steps=(),
    # a quarter past nine in Stockholm, on a Monday
    at="2025-03-03T08:15:00Z",
    config={"start_hour": 9, "end_hour": 17, "max_trades_per_day": 2, "timezone": "Europe/Stockholm"},
    trade_day="2025-02-28",
    trades_today=2,
    trades=tuple(trade_of(f"old-{number}", f"2025-02-28T09:00:{number:02}") for number in range(51)),
)

TRAFFIC: tuple[tuple[Request, int] | Event, ...] = (
    (get(HEALTH), 200),
    (head(HEALTH), 200),
    (get(STATUS), 200),
    (get(CAN_TRADE), 200),
    (get(CAN_TRADE, ("X-Client-Id", "bot-7")), 200),
    (get(WITHIN_WINDOW), 200),
    (get(CONFIG), 200),
    (get(TRADES), 200),
    # What can't be read.
    (post_trade(BITCOIN, key="a b"), 400),
    (post_trade('{"symbol":"BTC-USD","side":"keep","quantity":-1,"price":"1"}'), 400),
    (post_trade("{"), 400),
    (post_trade(BITCOIN, ("Content-Type", "text/plain")), 415),
    (post_trade(" " * (MAX_BODY_BYTES + 1)), 413),
    # Two trades are allowed.
    (post_trade(BITCOIN, key="one"), 201),
    (post_trade(BITCOIN, key="one"), 201),
    (post_trade(ETHER, key="one"), 422),
    (get(CAN_TRADE), 200),
    (post_trade(ETHER), 201),
    (get(CAN_TRADE), 200),
    (get(STATUS), 200),
    (post_trade(BITCOIN), 409),
    (get(TRADES), 200),
    (get(f"{TRADES}?symbol=ETH-USD"), 200),
    (get(f"{TRADES}?date=2025-03-03"), 200),
    (get(f"{TRADES}?limit=1"), 200),
    (get(f"{TRADES}?limit=1&limit=2"), 200),
    (get(f"{TRADES}?limit=0"), 400),
    # The rules change.
    (put_config('{"max_trades_per_day":4}'), 200),
    (put_config('{"max_trades_per_day":4}'), 200),
    (put_config('{"max_trades_per_day":-1,"start_hour":99}'), 400),
    (put_config('{"timezone":"UTC"}'), 400),
    (get(CONFIG), 200),
    # From five in the afternoon on the window is closed.
    At("2025-03-03T16:30:00Z"),
    (get(WITHIN_WINDOW), 200),
    (get(CAN_TRADE), 200),
    (get(STATUS), 200),
    (post_trade(BITCOIN), 403),
    (post_trade(BITCOIN, key="one"), 201),
    # Then it never closes, and after midnight in Stockholm, not in London, another day counts.
    (put_config('{"start_hour":0,"end_hour":24}'), 200),
    (post_trade(BITCOIN), 201),
    At("2025-03-03T23:30:00Z"),
    (get(CAN_TRADE), 200),
    (post_trade(BITCOIN), 201),
    (get(f"{TRADES}?date=2025-03-04"), 200),
    # The clock is set back, the day is not.
    At("2025-03-03T22:45:00Z"),
    (post_trade(ETHER, key="two"), 201),
    HaltedBy("maintenance"),
    (get(CAN_TRADE), 200),
    (get(STATUS), 200),
    (post_trade(BITCOIN), 403),
    (put_config('{"max_trades_per_day":1}'), 200),
    (post_trade(BITCOIN), 403),
    HaltedBy(None),
    (get(CAN_TRADE), 200),
    (post_trade(BITCOIN), 409),
    (put_config('{"start_hour":9,"end_hour":17}'), 200),
    (post_trade(BITCOIN), 403),
    StoreFails(StoreUnavailable("the disk is gone")),
    (get(CAN_TRADE), 503),
    (get(TRADES), 503),
    (post_trade(BITCOIN), 503),
    (put_config('{"max_trades_per_day":3}'), 503),
    StoreFails(RuntimeError("a fault")),
    (get(CAN_TRADE), 500),
    StoreFails(None),
    (get(CAN_TRADE), 200),
    (get(TRADES), 200),
    # The market, which is away for a while.
    (get(f"{TICKER}/BTC-USD"), 200),
    (get(f"{TICKER}/BTC-EUR"), 404),
    (get(f"{CANDLES}/BTC-USD?limit=2"), 200),
    (get(f"{CANDLES}/BTC-USD?timeframe=2m"), 400),
    (get(f"{ORDER_BOOK}/BTC-USD?limit=2"), 200),
    MarketFails(MarketUnavailable("the exchange is away")),
    (get(f"{TICKER}/BTC-USD"), 503),
    (get(f"{ORDER_BOOK}/BTC-USD?limit=0"), 400),
    MarketFails(None),
    (head(f"{TICKER}/ETH-USD"), 200),
    # Backtests, by the rules as they are by now.
    (get(STRATEGIES), 200),
    (post_backtest(WAVE), 200),
    (post_backtest(WAVE.replace('"fast":2', '"fast":0')), 400),
    (post_backtest(WAVE.replace("WAVE", "NO")), 404),
)
