"""`/api/orders`, `/api/balances` and `/api/positions`"""

from fastapi import APIRouter, Request, Response

from fastapi_app import orders
from fastapi_app.documents import (
    BAD_REQUEST,
    ENDED_ORDER,
    REFUSED_ORDER,
    UNAVAILABLE_BROKER,
    UNKNOWN_ORDER,
    UNREADABLE,
    header,
    path_parameter,
    query_of,
    request_body,
)
from fastapi_app.requests import PricedRoute, idempotency_key, json_answer, json_body, ports_of
from shared.clock import utc_text
from shared.wire_orders import (
    PLACE_ORDER,
    BalancesAnswer,
    ListedOrders,
    NewOrder,
    OrderAnswer,
    OrdersAnswer,
    PositionsAnswer,
    read_new_order,
    read_orders_query,
)

router = APIRouter(prefix="/api", route_class=PricedRoute, tags=["orders"])

_ORDER_ID = path_parameter("order_id", "the id of an order, such as paper-1", example="paper-1")
_KEY_HEADER = header("Idempotency-Key", "1 to 255 visible ASCII characters; an equal request gets its order again")


@router.post(
    "/orders",
    status_code=201,
    response_model=OrderAnswer,
    responses=BAD_REQUEST | UNREADABLE | REFUSED_ORDER | UNAVAILABLE_BROKER,
    openapi_extra=request_body(NewOrder) | {"parameters": [_KEY_HEADER]},
)
async def post_order(request: Request) -> Response:
    """Places one order, unless the window is halted, closed or used up. One that only reduces a position passes hours,
    limits and cooldowns, and takes no slot."""
    order = read_new_order(request.headers.get("content-type"), await json_body(request))
    key = idempotency_key(request, order, endpoint=PLACE_ORDER)
    return json_answer(await orders.place_order(ports_of(request), order, key=key), 201)


@router.get(
    "/orders",
    response_model=OrdersAnswer,
    responses=BAD_REQUEST | UNAVAILABLE_BROKER,
    openapi_extra={"parameters": query_of(ListedOrders)},
)
async def get_orders(request: Request) -> Response:
    """The newest first. Of a repeated query parameter the first value counts."""
    query = read_orders_query(request.scope["query_string"])
    found = await ports_of(request).outbound.read_async("broker", "orders", **query.model_dump())
    return json_answer({"orders": found, "count": len(found)})


@router.get(
    "/orders/{order_id}",
    response_model=OrderAnswer,
    responses=UNKNOWN_ORDER | UNAVAILABLE_BROKER,
    openapi_extra={"parameters": [_ORDER_ID]},
)
async def get_order(request: Request) -> Response:
    """An order as it is now."""
    order_id = request.path_params["order_id"]
    return json_answer(await ports_of(request).outbound.read_async("broker", "order", order_id=order_id))


@router.delete(
    "/orders/{order_id}",
    response_model=OrderAnswer,
    responses=UNKNOWN_ORDER | ENDED_ORDER | UNAVAILABLE_BROKER,
    openapi_extra={"parameters": [_ORDER_ID]},
)
async def delete_order(request: Request) -> Response:
    """Cancels an order that is open; its slot is free again."""
    return json_answer(await orders.cancel(ports_of(request), request.path_params["order_id"]))


@router.get("/balances", response_model=BalancesAnswer, responses=UNAVAILABLE_BROKER)
async def balances(request: Request) -> Response:
    """Money by currency, at the market's prices now."""
    ports = ports_of(request)
    found = await ports.outbound.read_async("broker", "balances", at=utc_text(ports.instant()))
    return json_answer({"balances": found})


@router.get("/positions", response_model=PositionsAnswer, responses=UNAVAILABLE_BROKER)
async def positions(request: Request) -> Response:
    """What is held, by symbol, at the market's prices now."""
    ports = ports_of(request)
    found = await ports.outbound.read_async("broker", "positions", at=utc_text(ports.instant()))
    return json_answer({"positions": found})
