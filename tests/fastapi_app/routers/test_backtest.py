"""What the routes of backtests do beside what the parity suite holds both sides to."""

import asyncio
from typing import Any

from starlette.types import Message

from fastapi_app.app import create_app
from fastapi_app.native import create_native
from legacy_flask.app import create_app as create_flask_app
from shared.errors import TooManyBacktests
from shared.modes import EndpointMode
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
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

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


async def test_it_is_cancelled_when_its_client_leaves() -> None:
    service = Endless()
    ports = ports_on(service)
    app = create_native(ports, max_body_bytes=1_024)
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
        "method": "POST",
        "path": request.path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
        "state": {SCOPE_KEY: ports.for_request()},
    }
    await asyncio.wait_for(app(scope, receive, send), 60)
    await asyncio.wait_for(service.cancelled.wait(), 60)
