"""Ports of one request, built in a test and handed to either stack without a server."""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.types import ASGIApp, Message
from werkzeug.test import create_environ, run_wsgi_app

from fastapi_app.app import TradingWindowApp, create_app
from shared.clock import FrozenClock
from shared.ids import FrozenIds
from shared.ports import LivePorts, Ports
from shared.settings import CutoverSettings, Settings
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.window_config import WindowConfig

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
TRADES = "/api/trading-window/trades"
BODY = b'{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}'

Ask = Callable[..., Any]


class Bench:
    """An app on a store of its own, which must stay empty, and ports on another store to hand in."""

    def __init__(self, app_modes: dict[str, Any] | None = None) -> None:
        self.own = MemoryStore()
        self.own.create("default", WindowConfig(max_trades_per_day=1))
        self.app: TradingWindowApp = create_app(
            Settings(cutover=CutoverSettings(modes=app_modes or {})), live_ports=LivePorts(store=self.own)
        )
        self.store = MemoryStore()
        self.store.create("default", WindowConfig(max_trades_per_day=2, end_hour=13))
        self.clock = FrozenClock(NOON)
        self.handed_in = LivePorts(store=self.store, clock=self.clock, ids=FrozenIds())

    def own_is_untouched(self) -> bool:
        return self.own.snapshot("default").sequence == 0


def scope_of(ports: Ports, method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
        "state": {"ports": ports},
    }


async def ask_asgi(app: ASGIApp, ports: Ports, method: str, path: str) -> Any:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope_of(ports, method, path), receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def ask_flask(bench: Bench, ports: Ports, method: str, path: str) -> Any:
    environ = create_environ(path, method=method, content_type="application/json", input_stream=io.BytesIO(BODY))
    environ["CONTENT_LENGTH"] = str(len(BODY))
    environ["asgi.scope"] = scope_of(ports, method, path)
    chunks, status, _ = run_wsgi_app(bench.app.legacy, environ)
    return int(status.split(" ")[0]), json.loads(b"".join(chunks))


def ask_native(bench: Bench, ports: Ports, method: str, path: str) -> Any:
    return asyncio.run(ask_asgi(bench.app.native, ports, method, path))


def ask_whole(bench: Bench, ports: Ports, method: str, path: str) -> Any:
    return asyncio.run(ask_asgi(bench.app, ports, method, path))


@pytest.fixture(params=[ask_flask, ask_native, ask_whole], ids=["legacy", "native", "the whole app"])
def ask(request: pytest.FixtureRequest) -> Ask:
    asked: Ask = request.param
    return asked


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_read_is_answered_from_the_ports_that_came_with_it(bench: Bench, ask: Ask) -> None:
    assert ask(bench, bench.handed_in.for_request(), "GET", "/api/trading-window/config") == (
        200,
        {"start_hour": 0, "end_hour": 13, "max_trades_per_day": 2, "timezone": "UTC"},
    )


def test_a_write_goes_to_the_ports_that_came_with_it(bench: Bench, ask: Ask) -> None:
    status, answer = ask(bench, bench.handed_in.for_request(), "POST", TRADES)
    assert (status, answer["trade"]["id"], answer["trades_today"]) == (201, "trade-1", 1)
    assert answer["trade"]["executed_at"] == "2025-03-03T12:00:00.000000Z"
    assert [entry.id for entry in bench.store.ledger("default", LedgerQuery()).entries] == ["trade-1"]
    assert bench.own_is_untouched()


def test_the_instant_and_the_snapshot_of_the_ports_hold_for_the_request(bench: Bench, ask: Ask) -> None:
    ports = bench.handed_in.for_request()
    assert ports.instant() == NOON
    assert ports.windows.snapshot("default").sequence == 0
    bench.clock.step(timedelta(hours=2))
    for _ in range(2):
        assert ask(bench, bench.handed_in.for_request(), "GET", "/api/trading-window/within-window")[1] == {
            "within_window": False
        }
    assert ask(bench, ports, "GET", "/api/trading-window/within-window")[1] == {"within_window": True}
    assert ask(bench, ports, "GET", TRADES)[1] == {"trades": [], "count": 0}


def test_the_test_holds_the_ports_and_sees_what_the_request_left(bench: Bench, ask: Ask) -> None:
    ports = bench.handed_in.for_request()
    ask(bench, ports, "POST", TRADES)
    assert ports.windows.snapshot("default").state == {
        "trade_day": "2025-03-03",
        "trades_today": 1,
        "halt": None,
        "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}},
        "last_trades": {"*": "2025-03-03T12:00:00.000000Z", "BTC-USD": "2025-03-03T12:00:00.000000Z"},
    }


def test_one_request_on_each_side_leaves_the_same() -> None:
    answers, left = [], []
    for ask in (ask_flask, ask_native):
        bench = Bench()
        answers.append(ask(bench, bench.handed_in.for_request(), "POST", TRADES))
        left.append((bench.store.snapshot("default"), bench.store.ledger("default", LedgerQuery())))
    assert answers[0] == answers[1]
    assert left[0] == left[1]


def test_without_ports_in_the_scope_a_request_gets_those_of_the_app(bench: Bench) -> None:
    for modes in ({}, {f"POST {TRADES}": "native"}):
        bench = Bench(modes)
        scope = scope_of(bench.handed_in.for_request(), "POST", TRADES)
        del scope["state"]
        asyncio.run(bench.app(scope, _receive, _send))
        assert bench.own.snapshot("default").sequence == 1
        assert bench.store.snapshot("default").sequence == 0


def test_each_request_gets_ports_of_its_own(bench: Bench) -> None:
    scopes = [scope_of(bench.handed_in.for_request(), "GET", "/api/health") for _ in range(2)]
    for scope in scopes:
        scope["state"] = {"server": "kept"}
        asyncio.run(bench.app(scope, _receive, _send))
    first, second = (scope["state"] for scope in scopes)
    assert first["server"] == second["server"] == "kept"
    assert isinstance(first["ports"], Ports)
    assert first["ports"] is not second["ports"]


def test_flask_alone_uses_its_own_ports(bench: Bench) -> None:
    answer = bench.app.legacy.test_client().post(TRADES, data=BODY, content_type="application/json")
    assert answer.status_code == 201
    assert bench.own.snapshot("default").sequence == 1
    assert bench.store.snapshot("default").sequence == 0


async def _receive() -> Message:
    return {"type": "http.request", "body": BODY}


async def _send(_message: Message) -> None:
    pass
