"""The five ways in which a parity case is served, each a world of its own: a store, a clock, ids, and apps on them."""

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from typing import Any, Literal
from urllib.parse import unquote, unquote_to_bytes

from flask import Flask
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.test import run_wsgi_app

from fastapi_app.app import create_app
from fastapi_app.bot.backtest import run_backtest
from legacy_flask.app import create_app as create_flask_app
from shared.backtest.processes import Run
from shared.bot.lease import renewed, taken
from shared.bot.service import BotService
from shared.bot.store.base import BotRow
from shared.bot.store.memory import MemoryBotStore
from shared.broker.account import Account
from shared.broker.base import Order
from shared.clock import FrozenClock, utc_text
from shared.ids import FrozenIds
from shared.market.service import MarketService
from shared.modes import EndpointMode
from shared.ports import SCOPE_KEY, LivePorts
from shared.settings import BotSettings, CutoverSettings, LimitSettings, Settings
from shared.store.base import LedgerPage, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID, Entry, Halt, Outcome, Snapshot, WindowState
from shared.window_config import WindowConfig
from tests.parity.backtests import backtests
from tests.parity.broker import WorldBroker
from tests.parity.case import (
    HOST,
    Answer,
    At,
    BotRuns,
    BrokerFails,
    CandleTrades,
    Case,
    Event,
    HaltedBy,
    MarketFails,
    MovedTo,
    Request,
    Step,
    StoreFails,
)
from tests.parity.endpoints import BOTH_SIDES
from tests.parity.market import FixedMarket

Arm = Literal["Flask alone", "legacy", "native", "legacy, then native", "native, then legacy"]
ARMS: tuple[Arm, ...] = ("Flask alone", "legacy", "native", "legacy, then native", "native, then legacy")
ARMS_OF_NATIVE_ONLY: tuple[Arm, ...] = ("legacy", "native")

Serve = Callable[[Request], tuple[Answer, str | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftovers:
    window: Snapshot
    ledger: LedgerPage
    account: Account
    orders: tuple[Order, ...]
    """The broker's, oldest first."""
    bot: BotRow


class Breakable:
    """A store, or a market, that can be told to fail."""

    def __init__(self, whole: object) -> None:
        self._whole = whole
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is not None:
            # Raised again and again, it would carry the traceback of each time.
            raise self.error.with_traceback(None)
        return getattr(self._whole, name)


class World:
    """One case's window on one arm."""

    def __init__(
        self,
        case: Case,
        store: Store,
        *,
        services: Mapping[str, object] | None = None,
        backtest: Run = run_backtest,
    ) -> None:
        self.case = case
        self.store = store
        self.clock = FrozenClock(_instant(case.at))
        self._breakable: Any = Breakable(store)
        self.bots = MemoryBotStore()
        self._breakable_bots: Any = Breakable(self.bots)
        self._market: Any = Breakable(FixedMarket(case.prices))
        self.broker = WorldBroker(self._market, self.clock)
        self.live_ports = LivePorts(
            store=self._breakable,
            clock=self.clock,
            ids=FrozenIds(),
            services={
                "market": MarketService(self._market),
                "broker": self.broker.service,
                "bot": BotService(self._breakable_bots, BotSettings(), account="paper money at fixed prices"),
                "backtest": backtests(self._market, backtest),
                **(services or {}),
            },
        )
        store.create(DEFAULT_WINDOW_ID, WindowConfig.parse(case.config))
        self._write(
            state=WindowState(trade_day=case.trade_day, trades_today=case.trades_today, halt=_halt(case.halt)),
            entries=tuple(
                Entry(id=trade["id"], kind="trade", data=trade, trade_day=trade["trade_day"], symbol=trade["symbol"])
                for trade in case.trades
            ),
        )

    def left(self) -> Leftovers:
        return Leftovers(
            window=self.store.snapshot(DEFAULT_WINDOW_ID),
            ledger=self.store.ledger(DEFAULT_WINDOW_ID, LedgerQuery(limit=10_000)),
            account=self.broker.account,
            orders=self.broker.orders(),
            bot=self.bots.read(),
        )

    def take(self, step: Step, serve: Serve) -> tuple[Answer, str | None] | None:
        """The answer and the side that it came from, where the step is a request."""
        if isinstance(step, tuple):
            return serve(step[0])
        self.meet(step)
        return None

    def meet(self, event: Event) -> None:
        match event:
            case At(instant):
                self.clock.set(_instant(instant))
            case HaltedBy(reason):
                self._write(halt=(_halt(reason),))
            case MovedTo(timezone):
                self._write(config=self.left().window.config.changed({"timezone": timezone}))
            case StoreFails(fault):
                self._breakable.error = self._breakable_bots.error = fault
            case MarketFails(fault):
                self._market.error = fault
            case BrokerFails():
                self.broker.fails(event)
            case CandleTrades():
                self.broker.meet(event)
            case BotRuns(candles):
                self._run_bot(candles)

    def _run_bot(self, candles: int) -> None:
        now = self.clock.now()
        cycle = {"at": utc_text(now), "candles": candles, "error": None}
        self.bots.change(
            taken("a process", account="paper money at fixed prices", at=now, until=now + timedelta(minutes=1))
        )
        self.bots.change(renewed("a process", until=now + timedelta(minutes=1), last_cycle=cycle))

    def _write(
        self,
        *,
        config: WindowConfig | None = None,
        state: WindowState | None = None,
        halt: tuple[Halt | None, ...] = (),
        entries: tuple[Entry, ...] = (),
    ) -> None:
        def transition(config_before: WindowConfig, before: WindowState, _instant: datetime) -> Outcome[None]:
            after = state or before
            for each in halt:
                after = {**after, "halt": each}
            return Outcome(config or config_before, after, entries, None)

        self.store.apply(DEFAULT_WINDOW_ID, transition, instant=self.clock.now())


@contextmanager
def serving(arm: Arm, world: World) -> Iterator[Serve]:
    """What an arm's requests are put to."""
    if arm == "Flask alone":
        settings = Settings(limits=LimitSettings(max_body_bytes=world.case.max_body_bytes))
        flask_app = create_flask_app(settings, live_ports=world.live_ports)
        yield lambda request: (ask_wsgi(flask_app, request), None)
    else:
        turns = cycle([_whole_app(side, world.case.max_body_bytes, world.case.prices) for side in arm.split(", then ")])
        with asyncio.Runner() as runner:
            yield lambda request: runner.run(ask_asgi(in_world(world, next(turns)), request))


@cache
def _whole_app(mode: str, max_body_bytes: int, prices: str) -> ASGIApp:
    """Built once for many worlds, whose ports come with their requests. Its own store has no window, so that a request
    which misses its world's ports is answered with an error; of its own market it tells where prices come from."""
    settings = Settings(
        limits=LimitSettings(max_body_bytes=max_body_bytes),
        cutover=CutoverSettings(modes=dict.fromkeys(BOTH_SIDES, EndpointMode.model_validate({"mode": mode}))),
    )
    services = {"market": MarketService(FixedMarket(prices))}
    return create_app(settings, live_ports=LivePorts(store=MemoryStore(), services=services))


def in_world(world: World, app: ASGIApp) -> ASGIApp:
    async def with_its_ports(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][SCOPE_KEY] = world.live_ports.for_request()
        await app(scope, receive, send)

    return with_its_ports


def sides(arm: Arm, case: Case) -> list[str | None]:
    """Which side must name itself in each of the case's answers."""
    turns: Sequence[str | None] = [None] if arm == "Flask alone" else arm.split(", then ")
    requests = [step[0] for step in case.steps if isinstance(step, tuple)]
    expected: list[str | None] = []
    for number, request in enumerate(requests):
        side = turns[number % len(turns)]
        if side is not None and not request.claimed:
            side = "legacy"
        elif side is not None and case.native_only:
            side = "native"
        expected.append(side)
    return expected


def ask_wsgi(app: Flask, request: Request) -> Answer:
    """As a WSGI server asks (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (("Host", HOST), *request.headers):
        plain = name.upper().replace("-", "_")
        variable = plain if plain in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{plain}"
        environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    body, status, headers = run_wsgi_app(app, environ)
    return _answer(int(status.split(" ")[0]), list(headers), b"".join(body))


async def ask_asgi(app: ASGIApp, request: Request) -> tuple[Answer, str | None]:
    """As uvicorn asks; and the side that answered."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode("ascii"),
        "query_string": request.query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.lower().encode("ascii"), value.encode("latin-1"))
            for name, value in (("Host", HOST), *request.headers)
        ],
        "client": ("127.0.0.1", 50_000),
        "server": (HOST, 80),
        "state": {},
    }
    inbox: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        # It stays until it has its answer.
        return inbox.pop() if inbox else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        # Starlette answers a fault and raises it again for the server's log.
        if not sent:
            raise
    start, *rest = sent
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    side = dict(headers).get("x-cutover-side")
    shown = [header for header in headers if header[0] != "x-cutover-side"]
    return _answer(start["status"], shown, b"".join(message.get("body", b"") for message in rest)), side


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    answer = Answer(status=status, body=body, content_type=None, content_length=None)
    others: list[tuple[str, str]] = []
    for name, value in sorted((name.lower(), value) for name, value in headers):
        match name:
            case "content-type":
                answer = replace(answer, content_type=value)
            case "content-length":
                answer = replace(answer, content_length=value)
            case "location":
                answer = replace(answer, location=value)
            case "allow":
                answer = replace(answer, allow=frozenset(value.split(", ")))
            case _:
                others.append((name, value))
    return replace(answer, other_headers=tuple(others))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _halt(reason: str | None) -> Halt | None:
    return None if reason is None else Halt(reason=reason)
