"""Both apps, each as primary and as candidate: a request is run on the second side without a second effect."""

import asyncio
import io
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from starlette.types import ASGIApp, Message, Scope
from werkzeug.test import create_environ, run_wsgi_app

from fastapi_app.cutover.effects import Effects, Recording, Replay
from fastapi_app.legacy import create_legacy
from fastapi_app.native import create_native
from fastapi_app.recorded_ports import PortsEffects
from shared.clock import FrozenClock
from shared.errors import StoreUnavailable
from shared.ids import FrozenIds
from shared.ports import LivePorts, ports_of_scope
from shared.settings import Settings
from shared.store.base import LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.store.sqlite import SQLiteStore
from shared.window import Outcome, WindowState
from shared.window_config import WindowConfig
from tests.fakes.bot import bot_service
from tests.shared.recorded import Breakable

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
PATH = "/api/trading-window"
NOTHING: dict[str, Any] = {"windows": {}, "ledger": {}, "calls": []}
TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"}
OTHER_TRADE = {**TRADE, "side": "sell"}


class Asked(NamedTuple):
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    key: str | None = None


class Answered(NamedTuple):
    status: int
    body: Any


def a_trade(body: Mapping[str, Any] = TRADE, *, key: str | None = None) -> Asked:
    return Asked("POST", f"{PATH}/trades", body, key)


GET_TRADES = Asked("GET", f"{PATH}/trades")


class NativeSide:
    """Awaited, on the test's event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(self, scope: Scope, body: bytes) -> Answered:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        try:
            await self._app(scope, receive, send)
        except Exception:
            # Starlette answers a fault and raises it again for the server's log.
            if not sent:
                raise
        return Answered(sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:])))


class LegacySide:
    """Blocking, in a thread, as behind the bridge."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    async def ask(self, scope: Scope, body: bytes) -> Answered:
        return await asyncio.to_thread(self._ask, scope, body)

    def _ask(self, scope: Scope, body: bytes) -> Answered:
        environ = create_environ(
            scope["path"],
            query_string=scope["query_string"].decode(),
            method=scope["method"],
            headers=[(name.decode(), value.decode()) for name, value in scope["headers"]],
            input_stream=io.BytesIO(body),
        )
        environ["asgi.scope"] = scope
        chunks, status, _ = run_wsgi_app(self._app, environ)
        return Answered(int(status.split(" ")[0]), json.loads(b"".join(chunks)))


Side = NativeSide | LegacySide


class Bench:
    """One store, and both apps on it."""

    def __init__(self, store: Store | None = None, *, limit: int = 3) -> None:
        self.store = store or MemoryStore()
        self.store.create("default", WindowConfig(max_trades_per_day=limit))
        self.breakable = Breakable(self.store)
        self.clock = FrozenClock(NOON)
        live = LivePorts(store=self.breakable, clock=self.clock, ids=FrozenIds(), services={"bot": bot_service()})
        # An app's own ports are never used: what reached them would be missed below.
        elsewhere = LivePorts(store=MemoryStore())
        self.native = NativeSide(create_native(elsewhere, max_body_bytes=10_000))
        self.legacy = LegacySide(create_legacy(Settings(), elsewhere))
        self.effects: Effects = PortsEffects(live)

    async def primary(self, side: Side, asked: Asked) -> tuple[Answered, Recording]:
        scope = scope_of(asked)
        recording = await self.effects.record(scope)
        return await side.ask(scope, body_of(asked)), recording

    async def candidate(self, side: Side, asked: Asked, recording: Recording) -> tuple[Answered, Replay]:
        scope = scope_of(asked)
        replay = recording.replay(scope)
        return await side.ask(scope, body_of(asked)), replay

    async def settle(self, asked: Asked) -> Answered:
        """A request that nobody compares."""
        return (await self.primary(self.native, asked))[0]

    def left(self) -> tuple[Any, ...]:
        return (self.store.snapshot("default"), self.store.ledger("default", LedgerQuery(limit=10_000)))

    def halt(self, reason: str | None) -> None:
        def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
            return Outcome(config, {**state, "halt": {"reason": reason} if reason else None}, (), None)

        self.store.apply("default", transition, instant=NOON)


def scope_of(asked: Asked) -> Scope:
    path, _, query = asked.path.partition("?")
    body = body_of(asked)
    headers = [(b"host", b"bench"), (b"content-length", str(len(body)).encode())]
    headers += [(b"content-type", b"application/json")] if body else []
    headers += [(b"idempotency-key", asked.key.encode())] if asked.key else []
    return {
        "type": "http",
        "http_version": "1.1",
        "method": asked.method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
    }


def body_of(asked: Asked) -> bytes:
    return b"" if asked.body is None else json.dumps(asked.body).encode()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=["legacy, then native", "native, then legacy", "legacy twice", "native twice"])
def sides(bench: Bench, request: pytest.FixtureRequest) -> tuple[Side, Side]:
    return {
        "legacy, then native": (bench.legacy, bench.native),
        "native, then legacy": (bench.native, bench.legacy),
        "legacy twice": (bench.legacy, bench.legacy),
        "native twice": (bench.native, bench.native),
    }[request.param]  # type: ignore[return-value]


async def agree(bench: Bench, sides: tuple[Side, Side], asked: Asked) -> tuple[Answered, Mapping[str, Any]]:
    """The primary's answer and effects, where the candidate had the same, here and in another process, and wrote
    nothing."""
    primary, candidate = sides
    answer, recording = await bench.primary(primary, asked)
    fault, bench.breakable.error = bench.breakable.error, None
    left = bench.left()
    again, replay = await bench.candidate(candidate, asked, recording)
    assert (again, replay.effects(), replay.unrecorded_read()) == (answer, recording.effects(), None)
    for side in sides:
        elsewhere = bench.effects.from_json(json.loads(json.dumps(recording.to_json())))
        again, replay = await bench.candidate(side, asked, elsewhere)
        assert (again, replay.effects(), replay.unrecorded_read()) == (answer, recording.effects(), None)
        assert elsewhere.effects() == recording.effects()
    assert bench.left() == left
    bench.breakable.error = fault
    return answer, recording.effects()


async def test_a_trade_is_counted_once(bench: Bench, sides: tuple[Side, Side]) -> None:
    answer, effects = await agree(bench, sides, a_trade())
    assert (answer.status, answer.body["trades_today"], answer.body["remaining_trades"]) == (201, 1, 2)
    trade = {
        "id": "trade-1",
        **TRADE,
        "strategy": None,
        "executed_at": "2025-03-03T12:00:00.000000Z",
        "trade_day": "2025-03-03",
    }
    assert answer.body["trade"] == trade
    assert effects == {
        "windows": {
            "default": {
                "config": {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 3, "timezone": "UTC"},
                "state": {
                    "trade_day": "2025-03-03",
                    "trades_today": 1,
                    "halt": None,
                    "tally": {"symbol": {"BTC-USD": 1}, "side": {"buy": 1}, "strategy": {}},
                    "last_trades": {"*": "2025-03-03T12:00:00.000000Z", "BTC-USD": "2025-03-03T12:00:00.000000Z"},
                },
            }
        },
        "ledger": {
            "default": [
                {
                    "id": "trade-1",
                    "kind": "trade",
                    "trade_day": "2025-03-03",
                    "symbol": "BTC-USD",
                    "subject": None,
                    "data": trade,
                    "key": None,
                }
            ]
        },
        "calls": [],
    }
    assert [entry.id for entry in bench.left()[1].entries] == ["trade-1"]


async def test_reads_leave_nothing(bench: Bench, sides: tuple[Side, Side]) -> None:
    await bench.settle(a_trade())
    await bench.settle(a_trade({**TRADE, "symbol": "ETH-USD"}))
    for path in ("can-trade", "within-window", "config", "trades", "trades?symbol=ETH-USD", "trades?limit=1"):
        answer, effects = await agree(bench, sides, Asked("GET", f"{PATH}/{path}"))
        assert (answer.status, effects) == (200, NOTHING)
    answer, _ = await agree(bench, sides, Asked("GET", "/api/status"))
    assert answer.body["server_time"] == "2025-03-03T12:00:00.000000Z"


async def test_a_change_of_the_rules_is_compared(bench: Bench, sides: tuple[Side, Side]) -> None:
    change = Asked("PUT", f"{PATH}/config", {"max_trades_per_day": 7})
    _, effects = await agree(bench, sides, change)
    assert effects["windows"]["default"]["config"]["max_trades_per_day"] == 7
    assert [entry["kind"] for entry in effects["ledger"]["default"]] == ["config"]
    assert await agree(bench, sides, change) == (
        Answered(200, {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 7, "timezone": "UTC"}),
        NOTHING,
    )


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (a_trade({**TRADE, "price": -1}), 400),
        (a_trade({"symbol": "BTC-USD"}), 400),
        (a_trade(key="no spaces"), 400),
        (Asked("POST", f"{PATH}/trades"), 415),
        (Asked("PUT", f"{PATH}/config", {"start_hour": 99}), 400),
        (Asked("GET", f"{PATH}/trades?limit=x"), 400),
    ],
)
async def test_what_is_refused_before_it_reaches_the_window_leaves_nothing(
    bench: Bench, sides: tuple[Side, Side], asked: Asked, status: int
) -> None:
    answer, effects = await agree(bench, sides, asked)
    assert (answer.status, effects) == (status, NOTHING)


async def test_refusals_are_compared(bench: Bench, sides: tuple[Side, Side]) -> None:
    for _ in range(3):
        await bench.settle(a_trade())
    answer, effects = await agree(bench, sides, a_trade())
    assert (answer.status, effects) == (409, NOTHING)
    bench.halt("lunch")
    assert await agree(bench, sides, a_trade()) == (Answered(403, {"error": "halted: lunch"}), NOTHING)
    bench.halt(None)
    await bench.settle(Asked("PUT", f"{PATH}/config", {"end_hour": 12}))
    answer, effects = await agree(bench, sides, a_trade())
    assert (answer.status, answer.body["trading_hours"], effects) == (403, "0:00 - 12:00", NOTHING)


async def test_keys_are_compared(bench: Bench, sides: tuple[Side, Side]) -> None:
    first, effects = await agree(bench, sides, a_trade(key="k-1"))
    kept = effects["ledger"]["default"][0]["key"]
    assert (kept["value"], kept["answer"], first.status) == ("k-1", first.body, 201)
    assert await agree(bench, sides, a_trade(key="k-1")) == (first, NOTHING)
    answer, effects = await agree(bench, sides, a_trade(OTHER_TRADE, key="k-1"))
    assert (answer.status, effects) == (422, NOTHING)
    assert (await agree(bench, sides, a_trade(OTHER_TRADE, key="k-2")))[0].body["trades_today"] == 2


@pytest.mark.parametrize(
    ("error", "status"), [(StoreUnavailable("it is away"), 503), (RuntimeError("it is broken"), 500)]
)
@pytest.mark.parametrize(
    "asked", [a_trade(), GET_TRADES, Asked("GET", f"{PATH}/can-trade"), Asked("PUT", f"{PATH}/config", {"end_hour": 3})]
)
async def test_a_store_that_fails_is_compared(
    bench: Bench, sides: tuple[Side, Side], asked: Asked, error: Exception, status: int
) -> None:
    bench.breakable.error = error
    answer, effects = await agree(bench, sides, asked)
    assert (answer.status, effects) == (status, NOTHING)


async def test_the_clock_and_others_may_go_on_between_primary_and_candidate(bench: Bench) -> None:
    for primary, candidate in ((bench.legacy, bench.native), (bench.native, bench.legacy)):
        for asked in (a_trade(), GET_TRADES, Asked("GET", "/api/status")):
            answer, recording = await bench.primary(primary, asked)
            bench.clock.set(datetime(2025, 3, 4, 1, tzinfo=UTC))
            await bench.settle(a_trade())
            await bench.settle(Asked("PUT", f"{PATH}/config", {"max_trades_per_day": random.Random(1).randint(5, 9)}))
            again, replay = await bench.candidate(candidate, asked, recording)
            assert (again, replay.effects()) == (answer, recording.effects())
            bench.clock.set(NOON)


@pytest.mark.parametrize("file", [None, "state.sqlite3"])
async def test_many_at_once_raise_no_false_alarm_and_count_no_trade_more(tmp_path: Path, file: str | None) -> None:
    bench = Bench(SQLiteStore(tmp_path / file) if file else MemoryStore(), limit=150)
    draw = random.Random(20250303)
    granted: list[str] = []

    async def ask(number: int) -> None:
        sides: tuple[Side, Side] = (bench.legacy, bench.native) if number % 2 else (bench.native, bench.legacy)
        asked = draw.choice(
            [
                a_trade(),
                a_trade(draw.choice([TRADE, OTHER_TRADE]), key=f"k-{draw.randrange(40)}"),
                GET_TRADES,
                Asked("GET", f"{PATH}/trades?limit=3"),
                Asked("GET", f"{PATH}/config"),
                Asked("PUT", f"{PATH}/config", {"max_trades_per_day": draw.randrange(100, 200)}),
            ]
        )
        answer, recording = await bench.primary(sides[0], asked)
        if answer.status == 201:
            granted.append(answer.body["trade"]["id"])
        await asyncio.sleep(draw.random() / 100)
        again, replay = await bench.candidate(sides[1], asked, recording)
        assert (again, replay.effects(), replay.unrecorded_read()) == (answer, recording.effects(), None)

    await asyncio.gather(*(ask(number) for number in range(400)))
    trades = bench.store.ledger("default", LedgerQuery(kind="trade", limit=10_000)).entries
    assert {trade.id for trade in trades} == set(granted)
    assert len(trades) == len(set(granted)) > 50
    bench.store.close()


async def test_ports_that_came_with_the_request_stay(bench: Bench) -> None:
    store = MemoryStore()
    store.create("default", WindowConfig(max_trades_per_day=1))
    handed_in = LivePorts(store=store, clock=bench.clock, ids=FrozenIds()).for_request()
    scope = {**scope_of(a_trade()), "state": {"ports": handed_in}}
    recording = await bench.effects.record(scope)
    assert ports_of_scope(scope) is handed_in
    assert (await bench.native.ask(scope, body_of(a_trade()))).body["remaining_trades"] == 0
    assert handed_in.windows.snapshot("default").state["trades_today"] == 1
    assert (store.snapshot("default").sequence, bench.store.snapshot("default").sequence) == (1, 0)
    answer, replay = await bench.candidate(bench.legacy, a_trade(), recording)
    assert (answer.status, replay.effects()) == (201, recording.effects())
    assert store.snapshot("default").sequence == 1


async def test_a_candidate_s_scope_gets_ports_of_its_own(bench: Bench) -> None:
    scope = scope_of(a_trade())
    recording = await bench.effects.record(scope)
    own = {**scope, "state": dict(scope["state"])}
    recording.replay(own)
    assert ports_of_scope(own) is not None
    assert ports_of_scope(own) is not ports_of_scope(scope)
