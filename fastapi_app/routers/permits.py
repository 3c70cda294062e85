"""`/api/windows/{window_id}/permits…`: a slot before the order goes out, and what became of it. Native only."""

from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from fastapi_app.documents import BAD_REQUEST, UNAVAILABLE, UNKNOWN, UNREADABLE, request_body
from fastapi_app.permits_by_hand import check_by_hand
from fastapi_app.requests import StrictRoute, idempotency_key, json_answer, json_body, ports_of, window_named
from fastapi_app.routers.windows import KEY_HEADER
from fastapi_app.rule_documents import CONFLICT, HALTED, KEY_REUSED, REFUSED_PERMIT, status_of
from fastapi_app.window.decision import Decision, PermitAnswer
from fastapi_app.window.order import OrderRequest
from fastapi_app.window.permits import ConfirmedPermit
from fastapi_app.windows_wire import (
    ConfirmedAnswer,
    Fill,
    PermitModel,
    PermitsAnswer,
    PermitStepAnswer,
    Release,
    refused_answer,
)
from shared.errors import Refused
from shared.store.base import IdempotencyKey
from shared.wire import RequestT, read_request

router = APIRouter(prefix="/api/windows/{window_id}/permits", route_class=StrictRoute, tags=["permits"])

_STEP = BAD_REQUEST | UNKNOWN | UNREADABLE | CONFLICT | UNAVAILABLE


class Nothing(BaseModel):
    """A step that needs no more than its path; the body may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@router.post(
    "",
    status_code=201,
    response_model=PermitStepAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNREADABLE | REFUSED_PERMIT | UNAVAILABLE,
    openapi_extra=request_body(OrderRequest) | {"parameters": [KEY_HEADER]},
)
async def post_permit(request: Request) -> Response:
    """Reserves a slot, unless a rule refuses the order. One that isn't sent in time expires and gives it back."""
    order = read_request(OrderRequest, request.headers.get("content-type"), await json_body(request))
    key = idempotency_key(request, order, endpoint="POST /api/windows/{window_id}/permits")
    decision = await window_named(request).reserve(order, key=key)
    if decision.reserved is None:
        return json_answer(refused_answer(decision), status_of(decision.reasons[0].code))
    return json_answer(decision.reserved, 201)


@router.get("", response_model=PermitsAnswer, responses=UNKNOWN | UNAVAILABLE)
async def get_permits(request: Request) -> Response:
    """Those without an end, oldest first; those in doubt wait for their reconciliation.

    One with a `client_order_id` is of an order of the broker's (window `default`). While that order rests, the permit
    is sent, or from its deadline on in doubt, which there means no more than that the order has no end yet: it keeps
    its slot, and what comes of the order ends it.
    """
    permits = await window_named(request).open_permits()
    return json_answer({"permits": permits, "count": len(permits)})


@router.get("/{permit_id}", response_model=PermitModel, responses=UNKNOWN | UNAVAILABLE)
async def get_permit(request: Request) -> Response:
    """Also one that has its end."""
    return json_answer(await window_named(request).get_permit(request.path_params["permit_id"]))


@router.post(
    "/{permit_id}/sent",
    response_model=PermitStepAnswer,
    responses=_STEP | HALTED,
    openapi_extra={"parameters": [KEY_HEADER]},
)
async def post_sent(request: Request) -> Response:
    """The order goes out now: the permit expires no more, and is in doubt when nobody resolves it in time."""
    permit_id, _, key = await _step(request, "sent", Nothing)
    return await _unless_halted(request, window_named(request).mark_sent(permit_id, key=key))


@router.post(
    "/{permit_id}/doubt",
    response_model=PermitStepAnswer,
    responses=_STEP,
    openapi_extra={"parameters": [KEY_HEADER]},
)
async def post_doubt(request: Request) -> Response:
    """Nobody knows what came of the order: the permit keeps its slot until it is confirmed or released."""
    permit_id, _, key = await _step(request, "doubt", Nothing)
    return json_answer(await window_named(request).mark_in_doubt(permit_id, key=key))


@router.post(
    "/{permit_id}/confirm",
    response_model=ConfirmedAnswer,
    responses=_STEP | KEY_REUSED | HALTED,
    openapi_extra=request_body(Fill, required=False) | {"parameters": [KEY_HEADER]},
)
async def post_confirm(request: Request) -> Response:
    """The order was filled: the slot is a trade's now, on the day on which it was reserved.

    409, too, for a permit of an order that the broker of this service shows as open or as filled, be it in part: what
    comes of the order ends it.
    """
    permit_id, fill, key = await _step(request, "confirm", Fill)
    await check_by_hand(ports_of(request), request.path_params["window_id"], permit_id)
    filled = OrderRequest(quantity=fill.quantity, price=fill.price)
    return await _unless_halted(request, window_named(request).confirm(permit_id, filled, key=key))


@router.post(
    "/{permit_id}/release",
    response_model=PermitStepAnswer,
    responses=_STEP | KEY_REUSED,
    openapi_extra=request_body(Release, required=False) | {"parameters": [KEY_HEADER]},
)
async def post_release(request: Request) -> Response:
    """There is no trade: the slot is free again.

    409, too, for a permit of an order that the broker of this service shows as open or as filled, be it in part: what
    comes of the order ends it. To give the slot back, cancel the order (`DELETE /api/orders/{order_id}`).
    """
    permit_id, release, key = await _step(request, "release", Release)
    await check_by_hand(ports_of(request), request.path_params["window_id"], permit_id)
    return json_answer(await window_named(request).release(permit_id, reason=release.reason, key=key))


async def _unless_halted(request: Request, step: Awaitable[PermitAnswer | ConfirmedPermit]) -> Response:
    try:
        return json_answer(await step)
    except Refused as refusal:
        decision = Decision(at=ports_of(request).instant(), reasons=refusal.reasons)
        return json_answer(refused_answer(decision), status_of(decision.reasons[0].code))


async def _step(request: Request, step: str, model: type[RequestT]) -> tuple[str, RequestT, IdempotencyKey | None]:
    """The permit, what the body says (all of it may be left out), and the key."""
    permit_id: str = request.path_params["permit_id"]
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    given = read_request(model, request.headers.get("content-type"), await json_body(request)) if has_body else model()
    endpoint = f"POST /api/windows/{{window_id}}/permits/{permit_id}/{step}"
    return permit_id, given, idempotency_key(request, given, endpoint=endpoint)
