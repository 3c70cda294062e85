"""`/api/market/…` and `/api/orderbook/…`"""

from flask import Blueprint, Response, jsonify, request

from legacy_flask.requests import current_ports
from shared.clock import utc_text
from shared.wire_market import read_candles_query, read_order_book_query

blueprint = Blueprint("market", __name__, url_prefix="/api")


@blueprint.get("/market/ticker/<symbol>")
def ticker(symbol: str) -> Response:
    ports = current_ports()
    return jsonify(ports.outbound.read("market", "ticker", symbol=symbol, at=utc_text(ports.instant())))


@blueprint.get("/market/ohlcv/<symbol>")
def candles(symbol: str) -> Response:
    query = read_candles_query(request.query_string)
    ports = current_ports()
    at = utc_text(ports.instant())
    found = ports.outbound.read("market", "candles", symbol=symbol, timeframe=query.timeframe, limit=query.limit, at=at)
    return jsonify(found)


@blueprint.get("/orderbook/<symbol>")
def order_book(symbol: str) -> Response:
    query = read_order_book_query(request.query_string)
    ports = current_ports()
    at = utc_text(ports.instant())
    return jsonify(ports.outbound.read("market", "order_book", symbol=symbol, limit=query.limit, at=at))
