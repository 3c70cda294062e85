"""The one place where the new stack meets the old one."""

from flask import Flask

from fastapi_app.bridge import Bridge
from legacy_flask.app import create_app
from shared.ports import LivePorts
from shared.settings import Settings


def create_legacy(settings: Settings, live_ports: LivePorts) -> Flask:
    """The old backend, on the new one's ports."""
    return create_app(settings, live_ports=live_ports)


def bridged(legacy: Flask, settings: Settings) -> Bridge:
    """The old backend as an ASGI app."""
    return Bridge(
        legacy,
        threads=settings.bridge.threads,
        max_queued=settings.bridge.max_queued,
        max_body_bytes=settings.bridge.max_body_bytes,
        body_memory_bytes=settings.bridge.body_memory_bytes,
        max_header_bytes=settings.bridge.max_header_bytes,
        abandon_after_seconds=settings.bridge.abandon_after_seconds,
        # By its own drain time the server has cut off who still waited for an answer; the threads are to stop.
        drain_timeout_seconds=0,
        multiprocess=settings.server.workers > 1,
    )
