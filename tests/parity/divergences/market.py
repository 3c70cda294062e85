"""Native endpoints that show the market otherwise."""

from decimal import Decimal
from typing import Any

from fastapi import Request, Response

from fastapi_app.requests import json_answer
from shared.errors import UnknownSymbol
from tests.parity.divergences.seeding import Divergences, Handler, Json, Native, content_of
from tests.parity.divergences.traffic import GET_CANDLES, GET_ORDER_BOOK, GET_TICKER

MARKET = Divergences()


@MARKET.at(GET_TICKER, "body.last", times=1)
def a_price_becomes_a_float(native: Native) -> None:
    native.json(lambda body: body.update(last=float(body["last"])), status=200)


@MARKET.at(GET_TICKER, "body.volume_24h", times=1)
def a_volume_gets_an_exponent(native: Native) -> None:
    native.json(lambda body: body.update(volume_24h=str(Decimal(body["volume_24h"]).normalize())), status=200)


@MARKET.at(GET_TICKER, "body.timestamp", times=1)
def a_quote_tells_when_it_was_asked_for(native: Native) -> None:
    native.json(lambda body: body.update(timestamp=body["timestamp"].replace(":44:59.", ":45:00.")), status=200)


@MARKET.at(GET_TICKER, "status", "body.error", times=1)
def an_unknown_symbol_has_no_prices(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except UnknownSymbol:
                return json_answer({"symbol": request.path_params["symbol"], "last": None})

        return answer

    native.handler(make)


@MARKET.at(GET_TICKER, "status", times=1)
def a_market_that_is_away_is_a_bad_gateway(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 502), status=503)


@MARKET.at(GET_CANDLES, "body.candles[0]", "body.candles[1]", times=1)
def the_newest_candle_comes_first(native: Native) -> None:
    native.json(lambda body: body["candles"].reverse(), status=200)


@MARKET.at(GET_CANDLES, "body.candles[0]", "body.candles[1]", times=1)
def a_candle_is_a_list(native: Native) -> None:
    def change(body: Json) -> None:
        names = ("timestamp", "open", "high", "low", "close", "volume")
        body["candles"] = [[candle[name] for name in names] for candle in body["candles"]]

    native.json(change, status=200)


@MARKET.at(GET_CANDLES, "body.candles[0].timestamp", "body.candles[1].timestamp", times=1)
def a_candle_is_dated_by_its_close(native: Native) -> None:
    def change(body: Json) -> None:
        for candle in body["candles"]:
            candle["timestamp"] = candle["timestamp"].replace(":00.000000", ":59.999999")

    native.json(change, status=200)


@MARKET.at(GET_CANDLES, "status", times=1)
def a_wrong_timeframe_is_answered_422(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 422), status=400)


@MARKET.at(GET_ORDER_BOOK, "body.bids[0]", "body.asks[1]", times=1)
def a_level_has_names(native: Native) -> None:
    def change(body: Json) -> None:
        for side in ("bids", "asks"):
            body[side] = [{"price": price, "quantity": quantity} for price, quantity in body[side]]

    native.json(change, status=200)


@MARKET.at(GET_ORDER_BOOK, "body.asks[0][1]", "body.bids[0][1]", times=1)
def quantities_lose_their_closing_zeros(native: Native) -> None:
    def change(body: Json) -> None:
        for level in (*body["asks"], *body["bids"]):
            level[1] = level[1].rstrip("0").rstrip(".")

    native.json(change, status=200)


@MARKET.at(GET_ORDER_BOOK, "body.bids[0]", times=1)
def the_worst_bid_comes_first(native: Native) -> None:
    native.json(lambda body: body["bids"].reverse(), status=200)


@MARKET.at(GET_ORDER_BOOK, "body.bids[1]", times=1)
def a_level_is_left_out(native: Native) -> None:
    def change(body: Json) -> None:
        levels: list[Any] = body["bids"]
        levels.pop()

    native.json(change, status=200)
