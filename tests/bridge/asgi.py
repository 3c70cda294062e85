"""The ASGI app under test: the bridge around the same WSGI app, its settings from the environment."""

import dataclasses
import json
import logging
import os

from starlette.types import Receive, Scope, Send

from fastapi_app.bridge import Bridge
from tests.bridge.apps import create_app, greeting

OPTIONS = "BRIDGE_TEST_OPTIONS"


def create_asgi() -> "Host":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    return Host(Bridge(create_app(), **json.loads(os.environ.get(OPTIONS, "{}"))))


class Host:
    """What stands around a bridge: a native route and a context variable. FastAPI's `root_path` is set, without a
    path that begins with it, which is how row 35 comes about."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/figures":
                await self._figures(send)
                return
            greeting.set("hello")
            scope = {**scope, "root_path": "/en"}
        await self._bridge(scope, receive, send)

    async def _figures(self, send: Send) -> None:
        body = json.dumps(dataclasses.asdict(self._bridge.figures())).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
