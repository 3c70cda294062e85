import logging

import httpx
import pytest

from fastapi_app.app import create_app
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode, Side
from shared.ports import LivePorts
from shared.request_id import RequestIdFilter
from shared.settings import CutoverSettings, Settings
from shared.store.memory import MemoryStore
from shared.window import Snapshot

CAN_TRADE = "GET /api/trading-window/can-trade"


class BrokenStore(MemoryStore):
    def snapshot(self, window_id: str) -> Snapshot:
        raise StoreUnavailable(f"the disk with {window_id!r} is gone")


async def ids_in_the_log(side: Side, headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.handler.addFilter(RequestIdFilter())
    settings = Settings(cutover=CutoverSettings(modes={CAN_TRADE: EndpointMode(mode=side)}))
    app = create_app(settings, live_ports=LivePorts(store=BrokenStore()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/api/trading-window/can-trade", headers=headers)
    assert app.cutover.bridge is not None
    await app.cutover.bridge.aclose()
    assert (answer.status_code, answer.headers["x-cutover-side"]) == (503, side)
    return [vars(record)["request_id"] for record in caplog.records if "is gone" in record.getMessage()]


@pytest.mark.parametrize("side", ["legacy", "native"])
async def test_the_clients_request_id_is_on_the_log_lines_of_either_side(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    assert await ids_in_the_log(side, {"X-Request-ID": "order-17"}, caplog) == ["order-17"]


@pytest.mark.parametrize("given", ["two words", "x" * 129, "tab\there"])
async def test_an_id_that_could_forge_the_log_is_replaced(given: str, caplog: pytest.LogCaptureFixture) -> None:
    [found] = await ids_in_the_log("legacy", {"X-Request-ID": given}, caplog)
    assert len(found) == 36
    assert found != given


async def test_a_request_without_an_id_gets_one(caplog: pytest.LogCaptureFixture) -> None:
    [found] = await ids_in_the_log("native", {}, caplog)
    assert len(found) == 36


def test_outside_a_request_there_is_none() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "started", None, None)
    assert RequestIdFilter().filter(record)
    assert vars(record)["request_id"] == "-"
