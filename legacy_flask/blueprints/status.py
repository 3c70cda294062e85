"""`/api/status`"""

from flask import Blueprint, Response, jsonify

from legacy_flask.requests import current_ports, current_window
from shared.clock import utc_text

blueprint = Blueprint("status", __name__)


@blueprint.get("/api/status")
def status() -> Response:
    window = current_window()
    ports = current_ports()
    return jsonify(
        status="running",
        server_time=utc_text(ports.instant()),
        bot=ports.outbound.read("bot", "status"),
        trading_window={"within_window": window.is_within_window(), "can_trade": window.can_trade()},
    )
