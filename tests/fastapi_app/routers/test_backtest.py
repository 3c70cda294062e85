"""What the routes of backtests do beside what the parity suite holds both sides to."""

import asyncio
import time
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from fastapi_app.app import create_app
from fastapi_app.bridge import Bridge
from fastapi_app.native import create_native
from legacy_flask.app import create_app as create_flask_app
from shared.backtest.processes import client_left
from shared.errors import TooManyBacktests
from shared.modes import EndpointMode, Side
from shared.ports import SCOPE_KEY, LivePorts
from shared.settings import CutoverSettings, Settings
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.parity.arms import ask_asgi, ask_wsgi
from tests.parity.cases.backtest import WAVE, post_backtest


class Busy:
    """A service that has no place."""

    def run(self, **_asked: Any) -> Any:
        raise TooManyBacktests(4, 7)


class Endless:
    """A service that is never done."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    def run(self, **_asked: Any) -> Any:
        left = client_left.get()
        assert left is not None
        self._loop.call_soon_threadsafe(self.begun.set)
        while not left():
            time.sleep(0.01)
        self._loop.call_soon_threadsafe(self.cancelled.set)

    async def run_async(self, **_asked: Any) -> Any:
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled.set()


def ports_on(service: object) -> LivePorts:
    store = MemoryStore()
    store.create(DEFAULT_WINDOW_ID, WindowConfig())
    return LivePorts(store=store, services={"backtest": service})


def test_both_sides_say_when_to_ask_again() -> None:
    ports = ports_on(Busy())
    modes = {"POST /api/backtest/run": EndpointMode(mode="native")}
    app = create_app(Settings(cutover=CutoverSettings(modes=modes)), live_ports=ports)
    native, side = asyncio.run(ask_asgi(app, post_backtest(WAVE)))
    alone = ask_wsgi(create_flask_app(Settings(), live_ports=ports), post_backtest(WAVE))
    assert side == "native"
    assert native == alone
    assert (alone.status, alone.other_headers) == (503, (("retry-after", "7"),))
    assert alone.body == b'{"error":"4 backtests run or wait already, and no more may"}\n'


@pytest.mark.parametrize("side", ["native", "legacy"])
async def test_it_is_ended_when_its_client_leaves(side: Side) -> None:
    service = Endless()
    ports = ports_on(service)
    app: ASGIApp = create_native(ports, max_body_bytes=1_024)
    if side == "legacy":
        app = Bridge(create_flask_app(Settings(), live_ports=ports), watch_after_seconds=0)
    request = post_backtest(WAVE)
    whole: Message = {"type": "http.request", "body": request.body, "more_body": False}
    inbox = [whole]

    async def receive() -> Message:
        if inbox:
            return inbox.pop()
        await service.begun.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        """Nobody reads it."""

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("bot.example", 80),
        "client": ("127.0.0.1", 50_000),
        "root_path": "",
        "method": "POST",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
        "state": {SCOPE_KEY: ports.for_request()},
    }
    await asyncio.wait_for(app(scope, receive, send), 60)
    await asyncio.wait_for(service.cancelled.wait(), 60)
