"""The lifespan of native, with what the cutover keeps running inside of it."""

import asyncio
import logging
import traceback
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from enum import Enum, auto

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.cutover.candidates.steps import cancelling

logger = logging.getLogger(__name__)

FAILED_EARLY = "native's lifespan has failed; both sides are served on until the server stops"


async def live_with(
    native: ASGIApp | None,
    running: AbstractAsyncContextManager[None],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """The native app's lifespan, with `running` inside: it is entered when the app has started, and left before the app
    ends, which may close what candidates use. However this ends, what was entered is left, once.

    An app that raises or returns before it has said a word knows no lifespan (ASGI, lifespan protocol): it is served
    all the same, and `running` is all there is. One whose lifespan ends too early, between its start and the server's
    shutdown, is served on, as uvicorn does, and `running` with it; what it raised is logged.

    Raises what the app raises as it starts or shuts down, and what `running` raises.
    """
    life = _Life(running, receive, send)
    async with life.inside:
        if native is not None:
            try:
                await native(scope, life.receive, life.send)
            except (Exception, asyncio.CancelledError):
                if life.stage in (_Stage.FAILED, _Stage.STOPPING) or cancelling():
                    # By the server, which will say no more.
                    raise
                if life.stage is _Stage.STARTED:
                    logger.exception(FAILED_EARLY)
                elif life.heard:
                    logger.warning("native knows no lifespan, or can't start: it is served all the same", exc_info=True)
            else:
                if life.failure_told_early:
                    logger.error("%s: %s", FAILED_EARLY, life.failure_told_early)
        await life.go_on()


class _Stage(Enum):
    SILENT = auto()
    STARTED = auto()
    FAILED = auto()
    """The start has."""
    STOPPING = auto()
    """The server has said so."""


class _Life:
    """What passes between native and its server."""

    def __init__(self, running: AbstractAsyncContextManager[None], receive: Receive, send: Send) -> None:
        self._running = running
        self._receive = receive
        self._send = send
        self.inside = AsyncExitStack()
        self.stage = _Stage.SILENT
        self.heard = False
        """Whether native has got a message."""
        self.failure_told_early = ""

    async def receive(self) -> Message:
        message = await self._receive()
        self.heard = True
        if message["type"] == "lifespan.shutdown":
            self.stage = _Stage.STOPPING
            await self.inside.aclose()
        return message

    async def send(self, message: Message) -> None:
        if self.stage is _Stage.FAILED:
            # The server knows, and takes no second word.
            return
        if self.stage is _Stage.STARTED and message["type"].startswith("lifespan.shutdown."):
            # Too early: the server would take its shutdown for done, and not wait until `running` is left.
            self.failure_told_early = message.get("message", "")
            return
        if self.stage is _Stage.SILENT and message["type"] == "lifespan.startup.complete":
            await self._start()
        elif self.stage is _Stage.SILENT and message["type"] == "lifespan.startup.failed":
            self.stage = _Stage.FAILED
        await self._send(message)

    async def _start(self) -> None:
        try:
            await self.inside.enter_async_context(self._running)
        except Exception:
            # A server may take an app that just raises for one without a lifespan, and serve it.
            self.stage = _Stage.FAILED
            await self._send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        self.stage = _Stage.STARTED

    async def go_on(self) -> None:
        """In the place of native, which has ended, until the server stops."""
        if self.stage is _Stage.SILENT:
            if not self.heard:
                await self.receive()
            await self.send({"type": "lifespan.startup.complete"})
        if self.stage is _Stage.STARTED:
            while (await self.receive())["type"] != "lifespan.shutdown":
                pass
            await self._send({"type": "lifespan.shutdown.complete"})
