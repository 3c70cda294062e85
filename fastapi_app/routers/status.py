"""`/api/status`"""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import UNAVAILABLE
from fastapi_app.requests import DirectRoute, json_answer, ports_of, window_of
from shared.clock import utc_text
from shared.wire import BotStatus, Status

router = APIRouter(route_class=DirectRoute, tags=["service"])

_BOT_STOPPED = BotStatus(status="stopped", started_at=None, symbol=None, strategies=[], last_cycle=None).model_dump()


@router.get("/api/status", response_model=Status, responses=UNAVAILABLE)
async def status(request: Request) -> Response:
    """The service at one instant: its time, the bot, the trading window."""
    window = window_of(request)
    return json_answer(
        {
            "status": "running",
            "server_time": utc_text(ports_of(request).instant()),
            "bot": _BOT_STOPPED,
            "trading_window": {
                "within_window": await window.is_within_window(),
                "can_trade": await window.can_trade(),
            },
        }
    )
