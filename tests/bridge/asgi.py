"""The ASGI app under test: the bridge around the same WSGI app, its settings from the environment."""

import dataclasses
import json
import logging
import os
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from fastapi_app.bridge import Bridge
from tests.bridge import apps

OPTIONS = "BRIDGE_TEST_OPTIONS"


def create_asgi() -> "Host":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    return Host(Bridge(apps.create_app(), **json.loads(os.environ.get(OPTIONS, "{}"))))


class Host:
    """What stands around a bridge: native routes and a context variable. Under /en it is as behind a proxy that strips
    a prefix: FastAPI's `root_path` is set, and no path begins with it, which is how row 35 comes about."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._native = _native(bridge)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"].startswith(("/figures", "/native", "/events", "/gates/")):
                await self._native(scope, receive, send)
                return
            apps.greeting.set("hello")
            if scope["path"].startswith("/en"):
                scope = {**scope, "root_path": "/en"}
        await self._bridge(scope, receive, send)


def _native(bridge: Bridge) -> FastAPI:
    native = FastAPI()

    @native.get("/native")
    async def answer() -> dict[str, str]:
        return {"served": "natively"}

    @native.get("/figures")
    async def figures() -> dict[str, Any]:
        return dataclasses.asdict(bridge.figures())

    @native.get("/events")
    async def events() -> list[str]:
        return apps.events_so_far()

    @native.post("/gates/{name}")
    async def open_gate(name: str) -> str:
        apps.gate(name).set()
        return name

    return native
