"""`/api/windows/{window_id}/halts` and `…/resume`. Set on the new side only; both sides honour a halt."""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BAD_REQUEST, UNAVAILABLE, UNKNOWN, UNREADABLE, request_body
from fastapi_app.requests import StrictRoute, json_answer, json_body, window_named
from fastapi_app.window.halting import NewHalt, Resumption
from fastapi_app.windows_wire import HaltsAnswer, HaltSetAnswer
from shared.wire import read_request

router = APIRouter(prefix="/api/windows/{window_id}", route_class=StrictRoute, tags=["halts"])


@router.get("/halts", response_model=HaltsAnswer, responses=UNKNOWN | UNAVAILABLE)
async def get_halts(request: Request) -> Response:
    """The halts in force."""
    return json_answer({"halts": await window_named(request).get_halts()})


@router.post(
    "/halts",
    response_model=HaltSetAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNREADABLE | UNAVAILABLE,
    openapi_extra=request_body(NewHalt),
)
async def post_halt(request: Request) -> Response:
    """Stops all new trades, or one symbol's, on both sides at once. Answers with the halts in force.

    There is one halt of everything, and one of each symbol. A second takes the place of the first: its reason, author
    and `until` count from then on, `since` stays, and the first is `before` in the answer and in the ledger; null where
    there was none. One resume ends it.
    """
    halt = read_request(NewHalt, request.headers.get("content-type"), await json_body(request))
    window = window_named(request)
    set_halt = await window.halt(reason=halt.reason, author=halt.author, symbol=halt.symbol, until=halt.until)
    return json_answer({"halts": await window.get_halts(), "before": set_halt["before"]})


@router.post(
    "/resume",
    response_model=HaltsAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNREADABLE | UNAVAILABLE,
    openapi_extra=request_body(Resumption),
)
async def post_resume(request: Request) -> Response:
    """Ends the halt of everything, or the symbol's, if there is one. Answers with the halts in force."""
    resumption = read_request(Resumption, request.headers.get("content-type"), await json_body(request))
    window = window_named(request)
    await window.resume(reason=resumption.reason, author=resumption.author, symbol=resumption.symbol)
    return json_answer({"halts": await window.get_halts()})
