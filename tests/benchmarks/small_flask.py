"""A small Flask app, and the servers' ways to it: what a request costs here is mostly the way."""

import logging
import time
from collections.abc import Iterator
from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp
from flask import Flask, Response, jsonify, request
from starlette.types import ASGIApp

from fastapi_app.bridge import Bridge

THREADS = 10

JSON_PATH = "/quote"
STREAM_PATH = "/stream"
PROCESSOR_PATH = "/processor-seconds"

CHUNKS = 100
CHUNK = b"x" * 1_023 + b"\n"


def create_app() -> Flask:
    app = Flask(__name__)

    @app.get(JSON_PATH)
    def quote() -> Response:
        return jsonify(symbol="BTC-USD", price="64250.10", can_trade=True, remaining_trades=3)

    @app.post(JSON_PATH)
    def post_quote() -> tuple[Response, int]:
        sent = request.get_json()
        return jsonify(symbol=sent["symbol"], price=sent["price"], can_trade=True, remaining_trades=2), 201

    @app.get(STREAM_PATH)
    def stream() -> Response:
        return Response(_chunks(), mimetype="text/plain")

    @app.get(PROCESSOR_PATH)
    def processor_seconds() -> Response:
        """What this process has used of the processor so far, in all its threads."""
        return jsonify(seconds=time.process_time())

    return app


def _chunks() -> Iterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


def bridged() -> ASGIApp:
    return Bridge(create_app(), threads=THREADS)


def mounted() -> ASGIApp:
    """Behind plain a2wsgi, as its documentation has it."""
    return cast("ASGIApp", WSGIMiddleware(cast("WSGIApp", create_app()), workers=THREADS))


def for_waitress() -> Flask:
    # It logs each request that finds all threads busy; with that, its log would be measured.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    return create_app()
