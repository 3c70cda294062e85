"""`/api/orders`, `/api/balances` and `/api/positions`"""

from flask import Blueprint, Response, jsonify, request

from legacy_flask.orders import Orders
from legacy_flask.requests import current_ports, current_window, json_body
from shared.clock import utc_text
from shared.wire import read_idempotency_key
from shared.wire_orders import PLACE_ORDER, read_new_order, read_orders_query

blueprint = Blueprint("orders", __name__, url_prefix="/api")


@blueprint.get("/balances")
def balances() -> Response:
    ports = current_ports()
    return jsonify(balances=ports.outbound.read("broker", "balances", at=utc_text(ports.instant())))


@blueprint.get("/positions")
def positions() -> Response:
    ports = current_ports()
    return jsonify(positions=ports.outbound.read("broker", "positions", at=utc_text(ports.instant())))


@blueprint.get("/orders")
def get_orders() -> Response:
    query = read_orders_query(request.query_string)
    found = current_ports().outbound.read(
        "broker", "orders", status=query.status, symbol=query.symbol, limit=query.limit
    )
    return jsonify(orders=found, count=len(found))


@blueprint.post("/orders")
def post_order() -> tuple[Response, int]:
    order = read_new_order(request.content_type, json_body())
    key = read_idempotency_key(request.headers.get("Idempotency-Key"), endpoint=PLACE_ORDER, request=order)
    return jsonify(_orders().place(order, key=key)), 201


@blueprint.get("/orders/<order_id>")
def get_order(order_id: str) -> Response:
    return jsonify(current_ports().outbound.read("broker", "order", order_id=order_id))


@blueprint.delete("/orders/<order_id>")
def delete_order(order_id: str) -> Response:
    return jsonify(_orders().cancel(order_id))


def _orders() -> Orders:
    return Orders(current_ports(), current_window())
