"""The new backend as a FastAPI app."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Match

from fastapi_app.bot_supervisor import BotSupervisor
from fastapi_app.calendar_watch import watching_calendars
from fastapi_app.legacy_fit import LegacyFit
from fastapi_app.order_watch import watching_orders
from fastapi_app.requests import json_answer
from fastapi_app.routers import backtest, bot, halts, health, market, orders, permits, status, trading_window, windows
from fastapi_app.rule_documents import rule_tags, with_whole_examples
from shared.errors import TradingWindowError
from shared.ports import LivePorts
from shared.wire import answer_to, headers_to
from shared.wire_market import headers_of_prices

logger = logging.getLogger(__name__)

ROUTERS = (trading_window, status, health, market, orders, bot, backtest, permits, windows, halts)
"""In the order in which they are asked."""

MADE_UP = """

**The prices here are synthetic (made up).** Each answer that shows them, or what came of them, says so by the header
`X-Prices: synthetic`."""


def create_native(
    live_ports: LivePorts,
    *,
    max_body_bytes: int,
    legacy_fit: LegacyFit | None = None,
    supervisor: BotSupervisor | None = None,
    reconcile_seconds: float | None = None,
) -> FastAPI:
    """The native endpoints. Its lifespan closes the ports; until then it lets `supervisor` run the bot, and asks every
    `reconcile_seconds` what came of orders that are out. Without `legacy_fit` there is no old side to fit."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            running.callback(live_ports.close)
            await running.enter_async_context(watching_calendars(live_ports.store))
            if reconcile_seconds is not None:
                await running.enter_async_context(watching_orders(live_ports, reconcile_seconds))
            if supervisor is not None:
                await running.enter_async_context(supervisor.running())
            yield

    of_prices = headers_of_prices(live_ports)
    app = _Native(
        title="Trading Window",
        version=version("trading-window"),
        description=f"When and how often a bot may trade.{MADE_UP if of_prices else ''}",
        lifespan=lifespan,
        openapi_tags=rule_tags(),
        # Nothing here exports traces, and to look for an exporter takes FastAPI a tenth of a small request.
        # A path with one slash too many is no path, as Flask has it.
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.max_body_bytes = max_body_bytes
    app.state.headers_of_prices = [(name.lower().encode(), value.encode()) for name, value in of_prices.items()]
    app.state.legacy_fit = legacy_fit or LegacyFit()
    app.add_exception_handler(TradingWindowError, _answer_error)
    app.add_exception_handler(404, _answer_unknown_path)
    app.add_exception_handler(405, _answer_other_method)
    app.add_exception_handler(Exception, _answer_fault)
    # In front of the documents, hot routes first, and not by `include_router`, after which FastAPI matches each request
    # twice: routing is linear, and was a fifth of a small request.
    app.router.routes[:0] = [route for module in ROUTERS for route in module.router.routes]
    return app


class _Native(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """FastAPI leaves out whatever is null, in examples too."""
        return with_whole_examples(super().openapi())


async def _answer_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, TradingWindowError):
        raise error
    status_code, body = answer_to(error)
    if status_code >= 500:
        logger.error("%s", error)
    answer = json_answer(body, status_code)
    answer.headers.update(headers_to(error))
    return answer


async def _answer_unknown_path(request: Request, _error: Exception) -> Response:
    return json_answer({"error": f"nothing is at this path; {request.app.docs_url} shows what there is"}, 404)


async def _answer_other_method(request: Request, _error: Exception) -> Response:
    """Starlette allows the methods of one route, where a path may have several."""
    at_path = [route for route in request.app.router.routes if route.matches(request.scope)[0] is not Match.NONE]
    allowed = {method for route in at_path for method in route.methods}
    answer = json_answer({"error": f"this path doesn't take {request.method}"}, 405)
    answer.headers["Allow"] = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
    return answer


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    # Starlette raises the exception again behind this answer, and the server logs it with its traceback.
    return json_answer({"error": "internal server error"}, 500)
