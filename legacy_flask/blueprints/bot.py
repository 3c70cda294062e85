"""`/api/bot/start`, `/api/bot/stop` and `/api/bot-status`"""

from flask import Blueprint, Response, jsonify

from legacy_flask.requests import current_ports
from shared.clock import utc_text

blueprint = Blueprint("bot", __name__, url_prefix="/api")


@blueprint.post("/bot/start")
def start_bot() -> Response:
    ports = current_ports()
    return jsonify(ports.outbound.effect("bot", "start", at=utc_text(ports.instant())))


@blueprint.post("/bot/stop")
def stop_bot() -> Response:
    return jsonify(current_ports().outbound.effect("bot", "stop"))


@blueprint.get("/bot-status")
def bot_status() -> Response:
    return jsonify(current_ports().outbound.read("bot", "status"))
