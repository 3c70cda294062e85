"""`/api/backtest/…`"""

from flask import Blueprint, Response, jsonify, request

from legacy_flask.requests import current_ports, json_body
from shared.backtest.processes import client_left
from shared.clock import utc_text
from shared.window import DEFAULT_WINDOW_ID
from shared.wire_backtest import read_backtest

blueprint = Blueprint("backtest", __name__, url_prefix="/api/backtest")


@blueprint.get("/strategies")
def strategies() -> Response:
    return jsonify(current_ports().outbound.read("backtest", "strategies"))


@blueprint.post("/run")
def run() -> Response:
    asked = read_backtest(request.content_type, json_body())
    ports = current_ports()
    window = ports.windows.snapshot(DEFAULT_WINDOW_ID).config.to_json()
    at = utc_text(ports.instant())
    client_left.set(_client_left if "asgi.scope" in request.environ else None)
    return jsonify(ports.outbound.read("backtest", "run", **asked.arguments(), window=window, at=at))


def _client_left() -> bool:
    """Under the bridge, whose input raises then; other servers don't tell."""
    try:
        request.environ["wsgi.input"].read(0)
    except OSError:
        return True
    return False
