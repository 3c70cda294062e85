"""What no endpoint claims, and what is left to Flask in every mode."""

from tests.parity.case import (
    JSON,
    NOT_FOUND,
    TRADE,
    Case,
    Left,
    entry_of,
    get,
    head_of,
    moved,
    ok,
    registered,
    stray,
    trade_of,
)

CASES = (
    Case(
        name="unclaimed: paths that nobody serves, whatever the method",
        steps=tuple(
            (stray(method, path), head_of(NOT_FOUND) if method == "HEAD" else NOT_FOUND)
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
            for path in (
                "/",
                "/api",
                "/api/",
                "/favicon.ico",
                "/api/trading-window/trade",
                "/api/trading-window/canTrade",
            )
        ),
        rows=(1, 40),
    ),
    Case(
        name="unclaimed: paths with odd bytes",
        steps=tuple(
            (stray("GET", path), NOT_FOUND)
            for path in (
                "/%ff",
                "/api/health%00",
                "/api/health%20",
                "/api/health%2F",
                "/api/health;x=1",
                "/api/h%C3%A9alth",
                "/api/%2e%2e/api/health",
                "/api/../api/health",
                "/api%5Chealth",
            )
        ),
        rows=(1,),
    ),
    Case(
        name="unclaimed: an encoded path is the path",
        steps=(
            (get("/api/%68ealth"), ok('{"status":"healthy"}')),
            (get("/%61pi%2Fhealth"), ok('{"status":"healthy"}')),
        ),
    ),
    Case(
        name="unclaimed: doubled slashes at the start are one, and legacy answers in every mode",
        steps=(
            (stray("GET", "//api/trading-window/can-trade"), ok('{"can_trade":true}')),
            (
                stray("POST", "///api/trading-window/trades", ("Content-Type", JSON), body=TRADE.encode()),
                registered(trade_of("trade-1", "2025-03-03T12:00:00"), trades_today=1, remaining=4),
            ),
        ),
        leaves=Left(
            trade_day="2025-03-03",
            trades_today=1,
            ledger=(entry_of(1, trade_of("trade-1", "2025-03-03T12:00:00")),),
        ),
    ),
    Case(
        name="unclaimed: doubled slashes are redirected by 308, with the query and the method kept, and change nothing",
        steps=(
            (
                stray("GET", "/api/trading-window//trades?limit=1&limit=2"),
                moved("http://bot.example/api/trading-window/trades?limit=1&limit=2"),
            ),
            (
                stray("POST", "/api/trading-window//trades", ("Content-Type", JSON), body=TRADE.encode()),
                moved("http://bot.example/api/trading-window/trades"),
            ),
            (
                stray("PUT", "/api//trading-window/config", ("Content-Type", JSON), body=b'{"start_hour":9}'),
                moved("http://bot.example/api/trading-window/config"),
            ),
            (stray("HEAD", "/api//health"), head_of(moved("http://bot.example/api/health"))),
        ),
        rows=(33, 34, 37),
    ),
)
