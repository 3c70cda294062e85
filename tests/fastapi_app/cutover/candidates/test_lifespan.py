import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.cutover.candidates.lifespan import FAILED_EARLY, live_with
from tests.fastapi_app.cutover.pairs import asgi, ask, cutover_of, wsgi

PATIENCE_SECONDS = 5


class Server:
    """A server's side of the lifespan protocol, as strict as uvicorn's."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._news = asyncio.Condition()
        self.sent: list[str] = []
        self.messages: list[str] = []

    async def receive(self) -> Message:
        return await self._inbox.get()

    async def send(self, message: Message) -> None:
        kind, _, step = message["type"].rpartition(".")
        assert kind == f"lifespan.{('startup', 'shutdown')[len(self.sent)]}"
        self.sent.append(f"{kind.removeprefix('lifespan.')} {step}")
        self.messages.append(message.get("message", ""))
        async with self._news:
            self._news.notify_all()

    async def starts(self) -> None:
        self._inbox.put_nowait({"type": "lifespan.startup"})
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self.sent)

    async def stops(self, life: "asyncio.Task[None]") -> None:
        self._inbox.put_nowait({"type": "lifespan.shutdown"})
        async with asyncio.timeout(PATIENCE_SECONDS):
            await life


class Running:
    """What is to run inside, and how often it was entered and left."""

    def __init__(self, *, fails: bool = False) -> None:
        self._fails = fails
        self.entered = self.left = 0

    @asynccontextmanager
    async def context(self) -> AsyncIterator[None]:
        if self._fails:
            raise OSError("no thread can be started")
        self.entered += 1
        try:
            yield
        finally:
            await asyncio.sleep(0)
            self.left += 1

    @property
    def was_run(self) -> tuple[int, int]:
        return self.entered, self.left


def lived(native: ASGIApp | None, running: Running, server: Server) -> "asyncio.Task[None]":
    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    return asyncio.create_task(live_with(native, running.context(), scope, server.receive, server.send))


def starlette(during: Callable[[], AbstractAsyncContextManager[None]]) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with during():
            yield

    return Starlette(lifespan=lifespan)


@asynccontextmanager
async def a_task_that_fails() -> AsyncIterator[None]:
    async def poll() -> None:
        raise ConnectionError("the broker is away")

    async with asyncio.TaskGroup() as group:
        group.create_task(poll())
        yield


@asynccontextmanager
async def a_time_that_is_over() -> AsyncIterator[None]:
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            yield


@asynccontextmanager
async def a_broken_end() -> AsyncIterator[None]:
    try:
        yield
    finally:
        raise RuntimeError("can't close")


def connect() -> None:
    raise RuntimeError("no database")


@asynccontextmanager
async def a_broken_start() -> AsyncIterator[None]:
    connect()
    yield


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


async def returns(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    await returns(scope, receive, send)
    raise ConnectionError("the broker is away")


async def is_cancelled_within(scope: Scope, receive: Receive, send: Send) -> None:
    await returns(scope, receive, send)
    task = asyncio.ensure_future(receive())
    task.cancel("by native itself")
    await task


async def tells_and_returns(scope: Scope, receive: Receive, send: Send) -> None:
    await returns(scope, receive, send)
    await send({"type": "lifespan.shutdown.failed", "message": "the broker is away"})


async def starts_unasked(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "lifespan.startup.complete"})


TOO_EARLY = {
    "returns": (returns, None),
    "raises": (raises, "ConnectionError: the broker is away"),
    "is cancelled within": (is_cancelled_within, "CancelledError"),
    "tells and returns": (tells_and_returns, "the broker is away"),
    "starts unasked": (starts_unasked, None),
    "a task of Starlette's fails": (starlette(a_task_that_fails), "ConnectionError: the broker is away"),
    "Starlette's returns": (starlette(a_time_that_is_over), None),
}


@pytest.mark.parametrize(("native", "told"), TOO_EARLY.values(), ids=TOO_EARLY)
async def test_native_whose_lifespan_ends_too_early_is_served_on(
    native: ASGIApp, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def serves_too(scope: Scope, receive: Receive, send: Send) -> None:
        await (native if scope["type"] == "lifespan" else asgi(b"new"))(scope, receive, send)

    app, server = cutover_of(serves_too, wsgi(b"old"), {"GET /old": "legacy", "GET /new": "native"}), Server()
    life = asyncio.create_task(app({"type": "lifespan", "state": {}}, server.receive, server.send))
    await server.starts()
    for _ in range(10):
        await asyncio.sleep(0)
    # What nobody holds any more is closed now.
    gc.collect()
    await asyncio.sleep(0)
    assert [(await ask(app, "GET", path)).body for path in ("/old", "/new")] == [b"old", b"new"]
    assert app.health()["status"] == "ok"
    await server.stops(life)
    assert server.sent == ["startup complete", "shutdown complete"]
    assert "the server has not started the lifespan" in app.health()["problems"][0]
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage().startswith(FAILED_EARLY) for record in logged] == ([] if told is None else [True])
    assert told is None or told in caplog.text


async def test_the_lifespan_is_native_s_with_the_other_inside() -> None:
    order: list[Any] = []

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        order.append(running.was_run)
        await send({"type": "lifespan.startup.complete"})
        order.append(running.was_run)
        await receive()
        order.append(running.was_run)
        await send({"type": "lifespan.shutdown.complete"})

    running, server = Running(), Server()
    life = lived(native, running, server)
    await server.starts()
    await server.stops(life)
    assert order == [(0, 0), (1, 0), (1, 1)]
    assert running.was_run == (1, 1)
    assert server.sent == ["startup complete", "shutdown complete"]


async def ignores_it(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pass


async def takes_it_for_a_request(scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()
    raise KeyError(scope["path"])


async def hears_it_alone(_scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()


@pytest.mark.parametrize("native", [None, asgi(), ignores_it, takes_it_for_a_request, hears_it_alone])
async def test_without_a_lifespan_of_native_s_there_is_the_other(native: ASGIApp | None) -> None:
    running, server = Running(), Server()
    life = lived(native, running, server)
    await server.starts()
    assert running.was_run == (1, 0)
    await server.stops(life)
    assert running.was_run == (1, 1)
    assert server.sent == ["startup complete", "shutdown complete"]


async def test_native_that_fails_to_start_is_not_served_without_its_lifespan() -> None:
    running, server = Running(), Server()
    life = lived(starlette(a_broken_start), running, server)
    await server.starts()
    with pytest.raises(RuntimeError, match="no database"):
        await life
    assert server.sent == ["startup failed"]
    assert running.was_run == (0, 0)


async def test_native_that_fails_to_end_tells_the_server() -> None:
    running, server = Running(), Server()
    life = lived(starlette(a_broken_end), running, server)
    await server.starts()
    with pytest.raises(RuntimeError, match="can't close"):
        await server.stops(life)
    assert server.sent == ["startup complete", "shutdown failed"]
    assert running.was_run == (1, 1)


@pytest.mark.parametrize("native", [None, starlette(nothing), returns], ids=["none", "Starlette", "returns"])
async def test_what_can_not_be_entered_fails_the_start(native: ASGIApp | None) -> None:
    running, server = Running(fails=True), Server()
    life = lived(native, running, server)
    await server.starts()
    with pytest.raises(OSError, match="no thread can be started"):
        await life
    assert server.sent == ["startup failed"]
    assert "no thread can be started" in server.messages[0]
    assert running.was_run == (0, 0)


@pytest.mark.parametrize("native", [None, starlette(nothing), raises], ids=["none", "Starlette", "ended early"])
async def test_a_server_that_cancels_leaves_nothing_running(native: ASGIApp | None) -> None:
    running, server = Running(), Server()
    life = lived(native, running, server)
    await server.starts()
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert running.was_run == (1, 1)


async def test_a_server_that_cancels_is_not_waited_for_where_native_then_fails() -> None:
    running, server = Running(), Server()
    life = lived(starlette(a_broken_end), running, server)
    await server.starts()
    life.cancel()
    with pytest.raises(RuntimeError, match="can't close"):
        await asyncio.wait_for(life, PATIENCE_SECONDS)
    assert running.was_run == (1, 1)


async def test_a_cancelled_shutdown_leaves_once() -> None:
    leaving = asyncio.Event()

    class Slow(Running):
        @asynccontextmanager
        async def context(self) -> AsyncIterator[None]:
            self.entered += 1
            try:
                yield
            finally:
                self.left += 1
                leaving.set()
                await asyncio.Event().wait()

    running, server = Slow(), Server()
    life = lived(starlette(nothing), running, server)
    await server.starts()
    stopping = asyncio.create_task(server.stops(life))
    await asyncio.wait_for(leaving.wait(), PATIENCE_SECONDS)
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert running.was_run == (1, 1)
