"""Orders that are out are asked for by the server itself, though no bot runs and nobody sends their key again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fastapi_app import orders
from fastapi_app.app import TradingWindowApp, create_app
from fastapi_app.order_watch import watching_orders
from shared.broker.base import Order, OrderRequest
from shared.broker.service import BrokerService
from shared.candle import Timeframe
from shared.clock import FrozenClock
from shared.errors import OutcomeUnknown, StoreUnavailable
from shared.ports import LivePorts
from shared.settings import BrokerSettings, CutoverSettings, Settings, StoreSettings
from shared.store.base import LedgerQuery
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.bench import MINUTE
from tests.fastapi_app.bot.processes import World, until
from tests.fastapi_app.bot.runs import BTC

EVERY = 0.01
BUY = OrderRequest(client_order_id="a", symbol=BTC, side="buy", type="market", quantity=Decimal(1))


class Counted(BrokerService):
    """Notes what it is asked, and fails where a test says so."""

    fails: Exception | None = None

    def __init__(self, broker: Any) -> None:
        super().__init__(broker)
        self.asked: list[str] = []

    def settles_after_seconds(self) -> float:
        self.asked.append("settles_after_seconds")
        return super().settles_after_seconds()

    async def order_by_client_id_async(self, *, client_order_id: str) -> Any:
        self.asked.append(client_order_id)
        if self.fails is not None:
            raise self.fails
        return await super().order_by_client_id_async(client_order_id=client_order_id)


class Server:
    """A world's orders over HTTP, and what the process does beside them."""

    def __init__(self) -> None:
        self.world = World()
        self.clock: FrozenClock = self.world.clock
        self.store = self.world.stores.windows
        self.store.create(DEFAULT_WINDOW_ID, WindowConfig(start_hour=0, end_hour=24))
        self.broker = Counted(self.world.broker)
        self.ports = LivePorts(store=self.store, clock=self.clock, services={"broker": self.broker})

    async def lose(self, *, at_the_broker: bool) -> None:
        """An order whose answer nobody gets."""

        def lost(_order: Order | OrderRequest) -> Order:
            raise OutcomeUnknown("the connection was closed")

        self.world.broker.before, self.world.broker.after = (None, lost) if at_the_broker else (lost, None)  # type: ignore[assignment]
        with pytest.raises(OutcomeUnknown):
            await orders.place(self.ports.for_request(), BUY)
        self.world.broker.before = self.world.broker.after = None
        self.broker.asked.clear()

    def permits(self) -> list[str]:
        return [each["status"] for each in self.store.snapshot(DEFAULT_WINDOW_ID).state.get("permits", {}).values()]

    def steps(self) -> list[str]:
        found = self.store.ledger(DEFAULT_WINDOW_ID, LedgerQuery(limit=100)).entries
        return [str(entry.data.get("status", entry.kind)) for entry in reversed(found)]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def processes() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_an_order_that_was_placed_all_the_same_has_its_trade(server: Server, processes: AsyncExitStack) -> None:
    await server.lose(at_the_broker=True)
    assert server.permits() == ["in_doubt"]
    for _ in range(2):  # who comes second changes nothing
        await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: not server.permits())
    await asyncio.sleep(5 * EVERY)
    assert server.steps() == ["pending", "sent", "in_doubt", "confirmed", "trade"]


async def test_an_order_that_never_came_in_gives_its_slot_back_once_it_is_old(
    server: Server, processes: AsyncExitStack
) -> None:
    await server.lose(at_the_broker=False)
    await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: server.broker.asked.count("a") >= 3)
    assert server.permits() == ["in_doubt"]
    server.clock.step(timedelta(seconds=60))
    await until(lambda: not server.permits())
    assert server.store.snapshot(DEFAULT_WINDOW_ID).state["trades_today"] == 0


async def test_a_resting_order_that_was_filled_meanwhile_has_its_trade(
    server: Server, processes: AsyncExitStack
) -> None:
    world = server.world
    resting = OrderRequest(
        client_order_id="a", symbol=BTC, side="buy", type="limit", quantity=Decimal(1), price=Decimal("0.01")
    )
    placed = await orders.place(server.ports.for_request(), resting)
    await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: server.broker.asked.count("a") >= 3)
    assert (placed["status"], server.permits()) == ("open", ["sent"])
    (candle,) = world.market.candles(BTC, Timeframe.MINUTE, 1, at=server.clock.now())
    low = candle._replace(timestamp=server.clock.now(), low=Decimal("0.001"))
    server.clock.step(MINUTE)
    world.broker.on_candle(BTC, low, at=server.clock.now())
    await until(lambda: not server.permits())
    assert server.steps() == ["pending", "sent", "in_doubt", "confirmed", "trade"]


async def test_where_nothing_is_out_nobody_is_asked_and_nothing_is_written(
    server: Server, processes: AsyncExitStack
) -> None:
    looks = 0
    snapshot = server.store.snapshot_async

    async def counted(window_id: str) -> Any:
        nonlocal looks
        looks += 1
        return await snapshot(window_id)

    server.store.snapshot_async = counted  # type: ignore[method-assign]
    await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: looks >= 5)
    assert server.broker.asked == []
    assert (await snapshot(DEFAULT_WINDOW_ID)).sequence == 0


async def test_what_fails_is_logged_once_and_tried_again(
    server: Server, processes: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    await server.lose(at_the_broker=True)
    server.broker.fails = StoreUnavailable("the disk is gone")
    await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: server.broker.asked.count("a") >= 3)
    (record,) = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (logging.ERROR, False)
    assert record.getMessage() == f"what came of orders can't be asked: {server.broker.fails}"
    server.broker.fails = RuntimeError("a fault")
    await until(lambda: len(caplog.records) == 2)
    assert caplog.records[1].exc_info
    server.broker.fails = None
    await until(lambda: not server.permits())
    assert len(caplog.records) == 2


async def test_a_process_that_ends_asks_no_more(server: Server, processes: AsyncExitStack) -> None:
    await server.lose(at_the_broker=False)
    await processes.enter_async_context(watching_orders(server.ports, EVERY))
    await until(lambda: bool(server.broker.asked))
    await processes.aclose()
    server.broker.asked.clear()
    await asyncio.sleep(5 * EVERY)
    assert server.broker.asked == []


async def test_the_app_does_so_as_often_as_its_settings_say_unless_its_ports_were_handed_in(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[float] = []

    def watching(ports: LivePorts, seconds: float) -> Any:
        watched.append(seconds)
        return watching_orders(ports, seconds)

    monkeypatch.setattr("fastapi_app.native.watching_orders", watching)
    settings = Settings(
        store=StoreSettings(path=tmp_path / "state.db"),
        cutover=CutoverSettings(path=tmp_path / "cutover.db", token_path=tmp_path / "token"),
        broker=BrokerSettings(reconcile_seconds=0.5),
    )
    for app in (create_app(settings), create_app(settings, live_ports=server.ports)):
        async with lifespan_of(app):
            pass
    assert watched == [0.5]


def lifespan_of(app: TradingWindowApp) -> Any:
    return app.native.router.lifespan_context(app.native)
