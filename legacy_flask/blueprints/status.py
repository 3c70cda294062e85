"""`/api/status`"""

from typing import Any

from flask import Blueprint, Response, jsonify

from legacy_flask.requests import current_ports, current_window
from shared.clock import utc_text

blueprint = Blueprint("status", __name__)

BOT_STOPPED: dict[str, Any] = {
    "status": "stopped",
    "started_at": None,
    "symbol": None,
    "strategies": [],
    "last_cycle": None,
}


@blueprint.get("/api/status")
def status() -> Response:
    window = current_window()
    return jsonify(
        status="running",
        server_time=utc_text(current_ports().instant()),
        bot=BOT_STOPPED,
        trading_window={"within_window": window.is_within_window(), "can_trade": window.can_trade()},
    )
