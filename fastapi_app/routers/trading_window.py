"""`/api/trading-window/…`. The hottest routes come first: routing is linear."""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BAD_REQUEST, REFUSED_TRADE, UNAVAILABLE, UNREADABLE, header, query_of, request_body
from fastapi_app.requests import DirectRoute, StrictRoute, idempotency_key, json_answer, json_body, window_of
from shared.errors import Refused
from shared.wire import (
    REGISTER_TRADE,
    CanTrade,
    ConfigAnswer,
    ConfigChange,
    RemainingTrades,
    TradeAnswer,
    TradeList,
    TradeRequest,
    TradesQuery,
    WindowStateAnswer,
    WithinWindow,
    read_config_change,
    read_trade,
    read_trades_query,
)

router = APIRouter(prefix="/api/trading-window", route_class=DirectRoute, tags=["trading window"])
_native_only = APIRouter(prefix="/api/trading-window", route_class=StrictRoute, tags=["trading window"])

_KEY_HEADER = header("Idempotency-Key", "1 to 255 visible ASCII characters; an equal request gets the first 201 again")


@router.get("/can-trade", response_model=CanTrade, responses=UNAVAILABLE)
async def can_trade(request: Request) -> Response:
    """Whether today's limit leaves a trade. Looks at the count alone, not at the hours."""
    return json_answer({"can_trade": await window_of(request).can_trade()})


@router.post(
    "/trades",
    status_code=201,
    response_model=TradeAnswer,
    responses=BAD_REQUEST | UNREADABLE | REFUSED_TRADE | UNAVAILABLE,
    openapi_extra=request_body(TradeRequest) | {"parameters": [_KEY_HEADER]},
)
async def post_trade(request: Request) -> Response:
    """Asks and counts in one step: registers one trade, unless the window is halted, closed or used up."""
    trade = read_trade(request.headers.get("content-type"), await json_body(request))
    key = idempotency_key(request, trade, endpoint=REGISTER_TRADE)
    registration = await window_of(request).try_register_trade(trade, key=key)
    if registration.registered is None:
        raise Refused(*registration.reasons)
    return json_answer(registration.registered, 201)


@router.get("/within-window", response_model=WithinWindow, responses=UNAVAILABLE)
async def within_window(request: Request) -> Response:
    """Whether the hours allow a trade now."""
    return json_answer({"within_window": await window_of(request).is_within_window()})


@router.get(
    "/trades",
    response_model=TradeList,
    responses=BAD_REQUEST | UNAVAILABLE,
    openapi_extra={"parameters": query_of(TradesQuery)},
)
async def get_trades(request: Request) -> Response:
    """The window's trades, newest first. Of a repeated query parameter the first value counts."""
    trades = await window_of(request).get_trades(read_trades_query(request.scope["query_string"]))
    return json_answer({"trades": trades, "count": len(trades)})


@router.get("/config", response_model=ConfigAnswer, responses=UNAVAILABLE)
async def get_config(request: Request) -> Response:
    """The rules in force."""
    return json_answer((await window_of(request).get_config()).legacy_keys())


@router.put(
    "/config",
    response_model=ConfigAnswer,
    responses=BAD_REQUEST | UNREADABLE | UNAVAILABLE,
    openapi_extra=request_body(ConfigChange),
)
async def put_config(request: Request) -> Response:
    """Replaces the given keys. What is out of range or unknown is refused, and nothing is changed."""
    change = read_config_change(request.headers.get("content-type"), await json_body(request))
    return json_answer((await window_of(request).update_config(change.changes())).legacy_keys())


@_native_only.get("/remaining-trades", response_model=RemainingTrades, responses=UNAVAILABLE)
async def remaining_trades(request: Request) -> Response:
    """How many trades today's limit leaves, never below 0."""
    return json_answer({"remaining_trades": await window_of(request).get_remaining_trades()})


@_native_only.get("", response_model=WindowStateAnswer, responses=UNAVAILABLE)
async def state(request: Request) -> Response:
    """The whole window at one instant."""
    return json_answer(await window_of(request).get_state())


router.routes.extend(_native_only.routes)
