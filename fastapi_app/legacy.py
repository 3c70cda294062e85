"""The one place where the new stack meets the old one."""

from typing import Any

from flask import Flask

from legacy_flask.app import create_app
from shared.ports import LivePorts
from shared.settings import Settings


def create_legacy(settings: Settings, live_ports: LivePorts) -> Flask:
    """The old backend, on the new one's ports."""
    return create_app(settings, live_ports=live_ports)


def bridge_options(settings: Settings) -> dict[str, Any]:
    """How the old backend is bridged."""
    options = settings.bridge.model_dump()
    return options | {
        "max_response_bytes": settings.bridge.max_response_bytes or None,
        # By its own drain time the server has cut off who still waited for an answer. What nobody waits for, such as
        # work behind an answer, has as much time again.
        "drain_timeout_seconds": settings.server.drain_timeout_seconds,
        "multiprocess": settings.server.workers > 1,
    }
