"""The one place where the new stack meets the old one."""

from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp
from flask import Flask
from starlette.types import ASGIApp

from legacy_flask.app import create_app
from shared.ports import LivePorts
from shared.settings import Settings


def create_legacy(settings: Settings, live_ports: LivePorts) -> Flask:
    """The old backend, on the new one's ports."""
    return create_app(settings, live_ports=live_ports)


def mounted(legacy: Flask, *, threads: int) -> ASGIApp:
    """The old backend as an ASGI app, on a pool of that many threads."""
    return cast("ASGIApp", WSGIMiddleware(cast("WSGIApp", legacy), workers=threads))
