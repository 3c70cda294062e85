"""`/api/trading-window/…`"""

from flask import Blueprint, Response, jsonify, request

from legacy_flask.requests import current_window, json_body
from shared.wire import REGISTER_TRADE, read_config_change, read_idempotency_key, read_trade, read_trades_query

blueprint = Blueprint("trading_window", __name__, url_prefix="/api/trading-window")


@blueprint.get("/within-window")
def within_window() -> Response:
    return jsonify(within_window=current_window().is_within_window())


@blueprint.get("/can-trade")
def can_trade() -> Response:
    return jsonify(can_trade=current_window().can_trade())


@blueprint.post("/trades")
def post_trade() -> tuple[Response, int]:
    trade = read_trade(request.content_type, json_body())
    key = read_idempotency_key(request.headers.get("Idempotency-Key"), endpoint=REGISTER_TRADE, request=trade)
    return jsonify(current_window().try_register_trade(trade, key=key)), 201


@blueprint.get("/trades")
def get_trades() -> Response:
    trades = current_window().trades(read_trades_query(request.query_string))
    return jsonify(trades=trades, count=len(trades))


@blueprint.get("/config")
def get_config() -> Response:
    return jsonify(current_window().get_config())


@blueprint.put("/config")
def put_config() -> Response:
    change = read_config_change(request.content_type, json_body())
    return jsonify(current_window().update_config(change))
