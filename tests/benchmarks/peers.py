"""What the product is held against: the bare framework, the old side, and the plain way to keep trades."""

import json
import os
import sqlite3
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_app.app import create_app
from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.window import rules
from fastapi_app.window.order import Order
from shared.clock import SystemClock
from shared.ids import SystemIds
from shared.store.base import to_json
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID, RegisteredTrade
from shared.window_config import MAX_TRADES_PER_DAY, WindowConfig
from shared.wire import CanTrade, RecordedTrade, TradeAnswer, TradeRequest
from shared.wire_fields import plain_decimal
from tests.benchmarks.servers import STATE_VARIABLE

_BUSY_SECONDS = 60.0
_MOUNT_THREADS = 10


def bare() -> FastAPI:
    """The same models on the same routes as any FastAPI tutorial writes them, and nothing behind them."""
    app = FastAPI()

    @app.get("/api/trading-window/can-trade")
    async def can_trade() -> CanTrade:
        return CanTrade(can_trade=True)

    @app.post("/api/trading-window/trades", status_code=201, response_model_exclude_unset=True)
    async def post_trade(trade: TradeRequest) -> TradeAnswer:
        recorded = RecordedTrade(
            id="0197a5f0-0000-7000-8000-000000000000",
            symbol=trade.symbol,
            side=trade.side,
            quantity=plain_decimal(trade.quantity),
            price=plain_decimal(trade.price),
            strategy=trade.strategy,
            executed_at="2025-06-25T12:00:00.000000Z",
            trade_day="2025-06-25",
        )
        return TradeAnswer(trade=recorded, trades_today=1, remaining_trades=999_999)

    return app


def old_side() -> ASGIApp:
    """The product with plain a2wsgi in the place of its bridge: what a migration begins with."""
    app = create_app()
    cutover = app.cutover
    mount = cast("ASGIApp", WSGIMiddleware(cast("WSGIApp", app.legacy), workers=_MOUNT_THREADS))

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await (mount if scope["type"] == "http" else cutover)(scope, receive, send)

    app.cutover = cast("Cutover", mounted)
    return app


def one_commit() -> FastAPI:
    """A `def` endpoint in the framework's thread pool, with a connection per thread and a transaction per request."""
    return _one_commit(turn=nullcontext())


def one_commit_in_line() -> FastAPI:
    """The same with a lock in front, so that threads wait in line instead of for SQLite's lock on the file."""
    return _one_commit(turn=threading.Lock())


def _one_commit(*, turn: AbstractContextManager[object]) -> FastAPI:
    path = Path(os.environ[STATE_VARIABLE])
    store = SQLiteStore(path)
    store.create(DEFAULT_WINDOW_ID, WindowConfig(max_trades_per_day=MAX_TRADES_PER_DAY))
    store.close()
    connections = threading.local()
    app = FastAPI()

    @app.post("/api/trading-window/trades", status_code=201, response_model_exclude_unset=True)
    def post_trade(trade: TradeRequest) -> TradeAnswer:
        if not hasattr(connections, "own"):
            connections.own = _connect(path)
        with turn:
            registered = _register(connections.own, trade)
        return TradeAnswer.model_validate(registered)

    return app


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _register(connection: sqlite3.Connection, trade: TradeRequest) -> RegisteredTrade:
    """Reads the window, judges by the product's own rules, writes: one transaction, one commit."""
    instant = SystemClock().now()
    trade_id = SystemIds().new("trade")
    connection.execute("BEGIN IMMEDIATE")
    try:
        config_json, state_json, sequence = connection.execute(
            "SELECT config, state, sequence FROM windows WHERE window_id = ?", (DEFAULT_WINDOW_ID,)
        ).fetchone()
        config = WindowConfig.model_validate_json(config_json)
        outcome = rules.checked_registration(trade_id, Order.of(trade))(config, json.loads(state_json), instant)
        (entry,) = outcome.entries
        row = (DEFAULT_WINDOW_ID, sequence + 1, trade_id, "trade", instant.isoformat())
        connection.execute(
            "INSERT INTO ledger (window_id, sequence, id, kind, instant, trade_day, symbol, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, entry.trade_day, entry.symbol, to_json(entry.data)),
        )
        connection.execute(
            "UPDATE windows SET state = ?, sequence = ? WHERE window_id = ?",
            (to_json(outcome.state), sequence + 1, DEFAULT_WINDOW_ID),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return outcome.answer
