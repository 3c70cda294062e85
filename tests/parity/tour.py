"""One request to each endpoint of the contract, in an order in which each of them does what it is there for."""

from tests.parity.case import Case, Request, get, post_trade, put_config
from tests.parity.case_orders import LIMIT_ORDER, delete_order, post_order
from tests.parity.cases.backtest import WAVE, post_backtest

START = Case(name="a tour", steps=(), config={"max_trades_per_day": 5, "timezone": "UTC"})

REQUESTS = (
    get("/api/health"),
    get("/api/status"),
    get("/api/trading-window/within-window"),
    get("/api/trading-window/can-trade"),
    put_config('{"start_hour":1,"max_trades_per_day":4}'),
    get("/api/trading-window/config"),
    post_trade('{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}', key="one"),
    get("/api/trading-window/trades?symbol=BTC-USD"),
    Request(method="POST", target="/api/bot/start"),
    get("/api/bot-status"),
    Request(method="POST", target="/api/bot/stop"),
    post_order(LIMIT_ORDER, key="two"),
    get("/api/orders?status=open"),
    get("/api/orders/paper-1"),
    get("/api/balances"),
    get("/api/positions"),
    delete_order("paper-1"),
    get("/api/market/ticker/BTC-USD"),
    get("/api/market/ohlcv/ETH-USD?timeframe=5m&limit=7"),
    get("/api/orderbook/BTC-USD?limit=3"),
    get("/api/backtest/strategies"),
    post_backtest(WAVE),
)
CREATE = ("POST /api/trading-window/trades", "POST /api/orders")
"""Are answered 201, the others 200."""
