"""`/api/bot/start`, `/api/bot/stop` and `/api/bot-status`"""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BOT_TOLD_ALREADY, UNAVAILABLE, UNAVAILABLE_BOT
from fastapi_app.requests import PricedRoute, json_answer, ports_of
from shared.clock import utc_text
from shared.wire import BotStarted, BotStatus, BotStopped

router = APIRouter(prefix="/api", route_class=PricedRoute, tags=["bot"])


@router.post("/bot/start", response_model=BotStarted, responses=BOT_TOLD_ALREADY | UNAVAILABLE_BOT)
async def start_bot(request: Request) -> Response:
    """The bot is to run, with the settings of this process; one of the processes takes it up within a second.

    It takes no body and no parameters: what is sent is not read, so no strategy can be chosen here. That is
    `bot.strategies` of the settings.
    """
    ports = ports_of(request)
    return json_answer(await ports.outbound.effect_async("bot", "start", at=utc_text(ports.instant())))


@router.post("/bot/stop", response_model=BotStopped, responses=BOT_TOLD_ALREADY | UNAVAILABLE)
async def stop_bot(request: Request) -> Response:
    """The bot is to finish what is in flight, and end, in whichever process it runs.

    It takes no body and no parameters: what is sent is not read.
    """
    return json_answer(await ports_of(request).outbound.effect_async("bot", "stop"))


@router.get("/bot-status", response_model=BotStatus, responses=UNAVAILABLE)
async def bot_status(request: Request) -> Response:
    """What the bot is to do, and its newest cycle, in whichever process it runs."""
    return json_answer(await ports_of(request).outbound.read_async("bot", "status"))
