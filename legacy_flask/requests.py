"""What a Flask view takes from its request: the ports and the body."""

from contextlib import suppress

from flask import current_app, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from legacy_flask.trading_window import TradingWindow
from shared.errors import BodyTooLarge, MalformedBody, UnsupportedMediaType
from shared.ports import LivePorts, Ports, ports_of_scope
from shared.wire import require_json

LIVE_PORTS = "trading_window.live_ports"
WINDOW_SEED = "trading_window.seed"

MAX_DISCARDED_BYTES = 32 * 1024 * 1024
"""How much of a refused body is read, so that its sender gets to read the answer."""


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
    """The raw body. Raises UnsupportedMediaType, then BodyTooLarge, then MalformedBody for one that was cut off."""
    try:
        require_json(request.content_type)
        return _whole_body()
    except (UnsupportedMediaType, BodyTooLarge):
        _discard_body()
        raise


def _whole_body() -> bytes:
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    length = request.content_length
    try:
        body = request.get_data(cache=False)
        # Without a Content-Length, Werkzeug cuts the body at the limit and says nothing.
        too_large = length is None and len(body) == limit and request.environ["wsgi.input"].read(1)
    except RequestEntityTooLarge as exc:
        raise BodyTooLarge(limit) from exc
    except (ClientDisconnected, OSError) as exc:
        raise MalformedBody("it was cut off") from exc
    if too_large:
        raise BodyTooLarge(limit)
    if length is not None and len(body) < length:
        # Under gunicorn Werkzeug leaves this to the server, which hands over what came before the client left.
        raise MalformedBody("it was cut off")
    return body


def _discard_body() -> None:
    """gunicorn closes on a client that still sends, which resets the connection before the answer is read. Flask's own
    server and the one under the bridge read on by themselves."""
    if "asgi.scope" in request.environ or not request.environ.get("wsgi.input_terminated"):
        return
    left = MAX_DISCARDED_BYTES
    with suppress(OSError):
        while left > 0 and (chunk := request.environ["wsgi.input"].read(65_536)):
            left -= len(chunk)
