"""`/api/backtest/…`"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BAD_REQUEST, NO_BACKTEST, UNREADABLE, request_body
from fastapi_app.requests import PricedRoute, json_answer, json_body, ports_of, window_of
from shared.clock import utc_text
from shared.wire_backtest import BacktestAnswer, BacktestRequest, StrategiesAnswer, read_backtest

router = APIRouter(prefix="/api/backtest", route_class=PricedRoute, tags=["backtest"])


@router.get("/strategies", response_model=StrategiesAnswer)
async def strategies(request: Request) -> Response:
    """The strategies that can be run, with their parameters."""
    return json_answer(await ports_of(request).outbound.read_async("backtest", "strategies"))


@router.post(
    "/run",
    response_model=BacktestAnswer,
    responses=BAD_REQUEST | UNREADABLE | NO_BACKTEST,
    openapi_extra=request_body(BacktestRequest),
)
async def run(request: Request) -> Response:
    """Runs a strategy over the newest candles, by the rules of the trading window; nothing real is traded. It is ended
    when its client leaves."""
    asked = read_backtest(request.headers.get("content-type"), await json_body(request))
    ports = ports_of(request)
    window = (await window_of(request).get_config()).to_json()
    at = utc_text(ports.instant())
    result = ports.outbound.read_async("backtest", "run", **asked.arguments(), window=window, at=at)
    found = await _while_there(request, result)
    return json_answer({"error": "the client left"}, 503) if found is None else json_answer(found)


async def _while_there(request: Request, result: Awaitable[dict[str, Any]]) -> dict[str, Any] | None:
    """None where the client left before it was there: a server goes on with the handler of one that did."""
    running = asyncio.ensure_future(result)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait((running, leaving), return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        leaving.cancel()
        running.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
