"""What a Flask view takes from its request: the ports and the body."""

from flask import current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from legacy_flask.trading_window import TradingWindow
from shared.errors import BodyTooLarge
from shared.ports import LivePorts, Ports, ports_of_scope
from shared.wire import require_json

LIVE_PORTS = "trading_window.live_ports"
WINDOW_SEED = "trading_window.seed"


def current_ports() -> Ports:
    """The ports that came with the request through the bridge, or the app's own where it runs alone."""
    scope = request.environ.get("asgi.scope")
    ports: Ports | None = g.get("ports") or (ports_of_scope(scope) if scope else None)
    if ports is None:
        live: LivePorts = current_app.extensions[LIVE_PORTS]
        ports = live.for_request()
    g.ports = ports
    return ports


def current_window() -> TradingWindow:
    return TradingWindow(current_app.config[WINDOW_SEED], ports=current_ports())


def json_body() -> bytes:
    """The raw body. Raises UnsupportedMediaType, then BodyTooLarge."""
    require_json(request.content_type)
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as exc:
        raise BodyTooLarge(current_app.config["MAX_CONTENT_LENGTH"]) from exc
