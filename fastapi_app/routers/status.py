"""`/api/status`"""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import UNAVAILABLE
from fastapi_app.requests import PricedRoute, json_answer, ports_of, window_of
from shared.clock import utc_text
from shared.wire import Status

router = APIRouter(route_class=PricedRoute, tags=["service"])


@router.get("/api/status", response_model=Status, responses=UNAVAILABLE)
async def status(request: Request) -> Response:
    """The service at one instant: its time, the bot, the trading window."""
    window = window_of(request)
    ports = ports_of(request)
    return json_answer(
        {
            "status": "running",
            "server_time": utc_text(ports.instant()),
            "bot": await ports.outbound.read_async("bot", "status"),
            "trading_window": {
                "within_window": await window.is_within_window(),
                "can_trade": await window.can_trade(),
            },
        }
    )
