"""`/api/market/…` and `/api/orderbook/…`"""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BAD_REQUEST, NO_PRICES, path_parameter, query_of
from fastapi_app.requests import PricedRoute, json_answer, ports_of
from shared.clock import utc_text
from shared.wire_market import (
    CandlesAnswer,
    CandlesQuery,
    OrderBookAnswer,
    OrderBookQuery,
    TickerAnswer,
    read_candles_query,
    read_order_book_query,
)

router = APIRouter(prefix="/api", route_class=PricedRoute, tags=["market"])

SYMBOL = path_parameter("symbol", "a symbol that the market quotes, such as BTC-USD", example="BTC-USD")


@router.get(
    "/market/ticker/{symbol}",
    response_model=TickerAnswer,
    responses=NO_PRICES,
    openapi_extra={"parameters": [SYMBOL]},
)
async def ticker(request: Request) -> Response:
    """A symbol's prices now."""
    ports = ports_of(request)
    symbol = request.path_params["symbol"]
    found = await ports.outbound.read_async("market", "ticker", symbol=symbol, at=utc_text(ports.instant()))
    return json_answer(found)


@router.get(
    "/market/ohlcv/{symbol}",
    response_model=CandlesAnswer,
    responses=BAD_REQUEST | NO_PRICES,
    openapi_extra={"parameters": [SYMBOL, *query_of(CandlesQuery)]},
)
async def candles(request: Request) -> Response:
    """The newest candles that are closed, the oldest first."""
    query = read_candles_query(request.scope["query_string"])
    ports = ports_of(request)
    found = await ports.outbound.read_async(
        "market",
        "candles",
        symbol=request.path_params["symbol"],
        timeframe=query.timeframe,
        limit=query.limit,
        at=utc_text(ports.instant()),
    )
    return json_answer(found)


@router.get(
    "/orderbook/{symbol}",
    response_model=OrderBookAnswer,
    responses=BAD_REQUEST | NO_PRICES,
    openapi_extra={"parameters": [SYMBOL, *query_of(OrderBookQuery)]},
)
async def order_book(request: Request) -> Response:
    """What waits to be traded, the best price first on either side."""
    query = read_order_book_query(request.scope["query_string"])
    ports = ports_of(request)
    found = await ports.outbound.read_async(
        "market",
        "order_book",
        symbol=request.path_params["symbol"],
        limit=query.limit,
        at=utc_text(ports.instant()),
    )
    return json_answer(found)
