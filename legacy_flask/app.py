"""The old backend as a Flask app: `flask --app legacy_flask.app run`, gunicorn, or under the new one's bridge."""

import logging

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import InternalServerError

from legacy_flask.backtest import run_backtest
from legacy_flask.blueprints import backtest, bot, health, market, orders, status, trading_window
from legacy_flask.requests import LIVE_PORTS, WINDOW_SEED
from shared.entry import exits_with_a_sentence
from shared.errors import TradingWindowError
from shared.ports import LivePorts
from shared.services import open_services
from shared.settings import Settings, load_settings
from shared.store.opening import open_store
from shared.wire import answer_to, headers_to
from shared.wire_market import headers_of_prices

logger = logging.getLogger(__name__)

SHOW_PRICES = (backtest, bot, health, market, orders, status)
"""Or what came of them."""


def create_app(settings: Settings | None = None, *, live_ports: LivePorts | None = None) -> Flask:
    """The old backend. Without settings, which is how a process starts it, it reads them, and ends the process with
    one sentence where that fails. Without ports it opens a store and services of its own. Raises SettingsError,
    CandleFileError.
    """
    if settings is None:
        with exits_with_a_sentence():
            return create_app(load_settings())
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.limits.max_body_bytes
    app.config[WINDOW_SEED] = settings.window.model_dump()
    app.extensions[LIVE_PORTS] = live_ports or _opened(settings)
    if isinstance(app.json, DefaultJSONProvider):
        # The contract's bytes don't change with Flask's debug mode.
        app.json.compact = True
    app.register_error_handler(TradingWindowError, _answer_error)
    app.register_error_handler(InternalServerError, _answer_fault)
    for module in (*SHOW_PRICES, trading_window):
        app.register_blueprint(module.blueprint)
    _tell_made_up_prices(app)
    return app


def _opened(settings: Settings) -> LivePorts:
    services = open_services(settings, backtest=run_backtest, knows_all_rules=False)
    return LivePorts(store=open_store(settings), services=services)


def _tell_made_up_prices(app: Flask) -> None:
    headers = headers_of_prices(app.extensions[LIVE_PORTS])
    names = {module.blueprint.name for module in SHOW_PRICES}

    @app.after_request
    def tell(response: Response) -> Response:
        if response.status_code < 300 and request.blueprint in names:
            response.headers.update(headers)
        return response


def _answer_error(error: TradingWindowError) -> tuple[Response, int, dict[str, str]]:
    status_code, body = answer_to(error)
    if status_code >= 500:
        logger.error("%s", error)
    return jsonify(body), status_code, headers_to(error)


def _answer_fault(_error: InternalServerError) -> tuple[Response, int]:
    # Flask has logged the exception with its traceback.
    return jsonify(error="internal server error"), 500
