"""Each endpoint through the `parity` fixture, as other projects' suites use it: answers, window state and ledger."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_app.accepted_differences import ACCEPTED_DIFFERENCES
from fastapi_app.bot.backtest import run_backtest as new_bot
from fastapi_app.cutover.comparing.observation import SeenAnswer
from fastapi_app.cutover.suite.parity import Parities, Parity
from fastapi_app.legacy import create_legacy
from fastapi_app.native import create_native
from legacy_flask.backtest import run_backtest as old_bot
from shared.ports import SCOPE_KEY
from shared.settings import Settings
from shared.store.memory import MemoryStore
from shared.window import Outcome
from tests.parity.arms import World
from tests.parity.case import HOST, Case, Request, get, head, post_trade, put_config, trade_of
from tests.parity.case_orders import LIMIT_ORDER, MARKET_ORDER, delete_order, post_order
from tests.parity.cases.backtest import WAVE, post_backtest
from tests.parity.endpoints import BOTH_SIDES, endpoint_of

CASE = Case(
    name="two trades of three are made",
    steps=(),
    config={"max_trades_per_day": 3},
    trade_day="2025-03-03",
    trades_today=2,
    trades=(trade_of("trade-8", "2025-03-03T08:00:00"), trade_of("trade-9", "2025-03-03T09:00:00")),
)

TRADES = "/api/trading-window/trades"
CONFIG = "/api/trading-window/config"
BODY = '{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}'


class Worlds:
    """The old app and the new one, each on a world of its own."""

    def __init__(self, parity: Parities) -> None:
        self.old, self.new = (World(CASE, MemoryStore(), backtest=bot) for bot in (old_bot, new_bot))
        self._pair: Parity = parity(
            legacy=lambda: create_legacy(Settings(), self.old.live_ports),
            native=lambda: _native(self.new),
            legacy_effects=lambda: _told(self.old),
            native_effects=lambda: _told(self.new),
        )

    def ask(self, request: Request) -> SeenAnswer:
        return self._pair.request(
            request.method,
            request.target,
            headers=[("Host", HOST), *request.headers],
            body=request.body,
            accepted=ACCEPTED_DIFFERENCES,
        )


def _native(world: World) -> ASGIApp:
    """The new app, whose requests bring their ports with them."""
    app = create_native(world.live_ports, max_body_bytes=Settings().limits.max_body_bytes)

    async def with_ports(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["state"][SCOPE_KEY] = world.live_ports.for_request()
        await app(scope, receive, send)

    return with_ports


def _told(world: World) -> Mapping[str, Any]:
    """What the world holds, as JSON."""
    left = world.left()
    return {
        "window": {**left.window._asdict(), "config": left.window.config.model_dump()},
        "ledger": [{**asdict(entry), "instant": entry.instant.isoformat()} for entry in left.ledger.entries],
        "orders": [order.to_json() for order in left.orders],
        "bot": [left.bot.desired, left.bot.version],
    }


@pytest.fixture
def worlds(parity: Parities) -> Worlds:
    return Worlds(parity)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/api/health"), 200),
        (get("/api/status"), 200),
        (head("/api/status"), 200),
        (get("/api/trading-window/can-trade"), 200),
        (get("/api/trading-window/within-window"), 200),
        (get(f"{TRADES}?limit=1"), 200),
        (get(f"{TRADES}?limit=x"), 400),
        (get(CONFIG), 200),
        (get("/api/market/ticker/BTC-USD"), 200),
        (get("/api/market/ticker/BTC-EUR"), 404),
        (get("/api/market/ohlcv/BTC-USD?limit=2"), 200),
        (get("/api/market/ohlcv/BTC-USD?timeframe=2m"), 400),
        (get("/api/orderbook/ETH-USD"), 200),
        (head("/api/orderbook/ETH-USD"), 200),
        (get("/api/backtest/strategies"), 200),
        (post_backtest(WAVE), 200),
        (post_backtest(WAVE.replace("WAVE", "NO")), 404),
        (post_backtest("{}"), 400),
        (get("/api/balances"), 200),
        (get("/api/positions"), 200),
        (get("/api/orders?status=open"), 200),
        (get("/api/orders?status=done"), 400),
        (get("/api/orders/paper-1"), 404),
        (get("/api/bot-status"), 200),
        (Request(method="POST", target="/api/bot/start"), 200),
        (Request(method="POST", target="/api/bot/stop"), 400),
        (post_order(LIMIT_ORDER), 201),
        (post_order(MARKET_ORDER, key="one"), 201),
        (post_order(MARKET_ORDER.replace("0.50", "2")), 409),
        (post_order("{}"), 400),
        (delete_order("paper-1"), 404),
        (post_trade(BODY), 201),
        (post_trade(BODY, key="one"), 201),
        (post_trade("{"), 400),
        (put_config('{"max_trades_per_day":2}'), 200),
        (put_config('{"start_hour":24}'), 400),
    ],
    ids=lambda value: f"{value.method} {value.target}" if isinstance(value, Request) else None,
)
def test_both_sides_do_the_same(worlds: Worlds, request_: Request, status: int) -> None:
    assert worlds.ask(request_).status == status


def test_each_endpoint_is_asked() -> None:
    (cases,) = test_both_sides_do_the_same.pytestmark  # type: ignore[attr-defined]
    assert {endpoint_of(request) for request, _ in cases.args[1]} >= set(BOTH_SIDES)


def test_what_one_request_leaves_the_next_one_finds(worlds: Worlds) -> None:
    assert worlds.ask(post_trade(BODY, key="one")).status == 201
    assert worlds.ask(post_trade(BODY, key="one")).status == 201
    assert worlds.ask(post_trade(BODY)).status == 409
    assert worlds.ask(put_config('{"max_trades_per_day":4}')).status == 200
    assert worlds.ask(post_trade(BODY)).status == 201
    assert worlds.ask(get(TRADES)).body.count(b'"id":"trade-') == 4
    assert worlds.new.left().window.state["trades_today"] == 4


def test_what_one_order_leaves_the_next_one_finds(worlds: Worlds) -> None:
    assert worlds.ask(post_order(LIMIT_ORDER, key="one")).status == 201
    assert worlds.ask(post_order(LIMIT_ORDER, key="one")).status == 201
    assert worlds.ask(post_order(MARKET_ORDER)).status == 409
    assert worlds.ask(delete_order("paper-1")).status == 200
    assert worlds.ask(post_order(MARKET_ORDER)).status == 201
    assert worlds.ask(get("/api/orders")).body.count(b'"id":"paper-') == 2
    assert worlds.ask(get("/api/positions")).body.count(b'"side":"long"') == 1
    assert worlds.new.left().window.state["trades_today"] == 3


def test_a_state_that_differs_is_told(worlds: Worlds) -> None:
    worlds.new.store.apply(
        "default",
        lambda config, state, _instant: Outcome(config, {**state, "trades_today": 1}, (), None),
        instant=worlds.new.clock.now(),
    )
    with pytest.raises(AssertionError) as told:
        worlds.ask(post_trade(BODY))
    assert [line.strip() for line in str(told.value).splitlines()[:4]] == [
        f"POST {TRADES}: legacy and native differ",
        "body.remaining_trades: legacy 0, native 1",
        "body.trades_today: legacy 3, native 2",
        "effects.window.state.trades_today: legacy 3, native 2",
    ]
