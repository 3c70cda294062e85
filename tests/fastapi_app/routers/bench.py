"""The native-only endpoints over HTTP: the whole app on a store in memory, under a clock that the test moves."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import httpx
from starlette.types import Receive, Scope, Send

from fastapi_app.app import TradingWindowApp, create_app
from shared.clock import FrozenClock
from shared.ids import FrozenIds
from shared.modes import EndpointMode, Mode
from shared.ports import SCOPE_KEY, LivePorts
from shared.settings import CutoverSettings, LimitSettings, Settings
from shared.store.base import LedgerQuery
from shared.store.memory import MemoryStore
from shared.window_config import WindowConfig
from tests.fakes.bot import bot_service
from tests.parity.broker import WorldBroker
from tests.parity.market import FixedMarket

MONDAY_NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
MAX_BODY_BYTES = 4_096
TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}
LEGACY_TRADES = "/api/trading-window/trades"
WINDOWS = "/api/windows"
DEFAULTS = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}
ANSWERED_TRADE = {
    "id": "trade-1",
    "symbol": "BTC-USD",
    "side": "buy",
    "quantity": "0.50",
    "price": "64250.10",
    "strategy": "rsi",
    "executed_at": "2025-03-03T12:00:00.000000Z",
    "trade_day": "2025-03-03",
}


class Malformed(NamedTuple):
    """A body that no endpoint can read, and what each of them says to it."""

    content: bytes
    content_type: str | None
    status: int
    sentence: str


MALFORMED = {
    "no content type": Malformed(b"{}", None, 415, "Content-Type: missing is not application/json"),
    "a form": Malformed(b"{}", "text/plain", 415, 'Content-Type: "text/plain" is not application/json'),
    "too large": Malformed(
        b" " * MAX_BODY_BYTES + b"{}", "application/json", 413, "the body is larger than 4096 bytes"
    ),
    "not JSON": Malformed(
        b'{"a": 1', "application/json", 400, "the body is malformed: it is not JSON at line 1, column 8"
    ),
    "NaN": Malformed(b'{"a": NaN}', "application/json", 400, "the body is malformed: NaN is not a JSON number"),
    "a list": Malformed(b"[]", "application/json", 400, "the body is malformed: it is not a JSON object"),
    "not UTF-8": Malformed(b'{"a": "\xff"}', "application/json", 400, "the body is malformed: it is not UTF-8"),
    "a key twice": Malformed(
        b'{"a": 1, "a": 2}', "application/json", 400, 'the body is malformed: the key "a" is there more than once'
    ),
}


class Bench:
    """A client of the app, its store and its clock. The window `default` is there, with the defaults."""

    def __init__(self, modes: Mapping[str, Mode] | None = None, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self.store = MemoryStore()
        self.store.create("default", WindowConfig())
        self.clock = FrozenClock(MONDAY_NOON)
        self.broker = WorldBroker(FixedMarket(), self.clock)
        self._live_ports = LivePorts(
            store=self.store,
            clock=self.clock,
            ids=FrozenIds(),
            services={"broker": self.broker.service, "bot": bot_service()},
        )
        self._app = _app(frozenset((modes or {}).items()), max_body_bytes)
        transport = httpx.ASGITransport(self._with_ports, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://window.test")

    async def _with_ports(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An app takes a tenth of a second to make, so each test brings its own ports to the same one."""
        scope["state"] = {SCOPE_KEY: self._live_ports.for_request()}
        await self._app(scope, receive, send)

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, key: str | None = None
    ) -> dict[str, Any]:
        """The answer's JSON, once it has this status."""
        headers = {} if key is None else {"idempotency-key": key}
        if body is not None:
            headers["content-type"] = "application/json"
        content = None if body is None else json.dumps(body)
        return read(await self.http.request(method, path, headers=headers, content=content), status)

    async def get(self, path: str, *, status: int = 200, **parameters: Any) -> dict[str, Any]:
        return read(await self.http.get(path, params=parameters), status)

    async def send(self, method: str, path: str, malformed: Malformed) -> dict[str, Any]:
        headers = {} if malformed.content_type is None else {"content-type": malformed.content_type}
        response = await self.http.request(method, path, content=malformed.content, headers=headers)
        return read(response, malformed.status)

    async def made(self, window_id: str = "desk", **config: Any) -> str:
        """The path of a new window."""
        await self.ask("POST", "/api/windows", {"window_id": window_id, "config": config}, status=201)
        return f"/api/windows/{window_id}"

    def at(self, text: str) -> None:
        """Sets the clock."""
        self.clock.set(datetime.fromisoformat(text))

    def everything(self) -> list[Any]:
        """All that the store holds."""
        names = self.store.window_ids(limit=1_000)
        whole = LedgerQuery(limit=100_000)
        return [(self.store.snapshot(name), self.store.ledger(name, whole)) for name in names]


@cache
def _app(modes: frozenset[tuple[str, Mode]], max_body_bytes: int) -> TradingWindowApp:
    settings = Settings(
        limits=LimitSettings(max_body_bytes=max_body_bytes),
        cutover=CutoverSettings(modes={name: EndpointMode(mode=mode) for name, mode in modes}),
    )
    return create_app(settings, live_ports=LivePorts(store=MemoryStore()))


def read(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer
