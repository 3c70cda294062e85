"""A legacy app that answers, and a successor whose endpoints do what no handler should: for `tradewindow cutover
serve` and the benchmarks. On `/sleeps` it is legacy that does, and native that answers."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

BLOCKED_SECONDS = 3.0
LARGE_BYTES = 50 * 2**20

NATIVE_KINDS = (
    "agrees",
    "waits",
    "raises",
    "exits",
    "exits-in-stream",
    "streams",
    "trickles",
    "large",
    "large-in-chunks",
    "blocks",
    "blocks-in-stream",
    "holds",
)

legacy = Flask(__name__)


@legacy.get("/")
def ready() -> dict[str, str]:
    return {}


@legacy.get("/sleeps")
def sleeps() -> dict[str, str]:
    time.sleep(3_600)
    return {}


def _answers(kind: str) -> dict[str, str]:
    return {"kind": kind}


for _kind in NATIVE_KINDS:
    legacy.add_url_rule(f"/{_kind}", _kind, lambda kind=_kind: _answers(kind))


async def agrees(_request: Request) -> Response:
    return JSONResponse(_answers("agrees"))


async def waits(_request: Request) -> Response:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def raises(_request: Request) -> Response:
    raise ValueError("a fault of native's")


async def exits(_request: Request) -> Response:
    sys.exit(3)


async def exits_in_stream(_request: Request) -> Response:
    """In a task of its own."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        sys.exit(3)

    return StreamingResponse(chunks())


async def streams(_request: Request) -> Response:
    """As fast as it is taken."""

    async def without_end() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    return StreamingResponse(without_end())


async def trickles(_request: Request) -> Response:
    async def without_end() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.1)

    return StreamingResponse(without_end())


async def large(_request: Request) -> Response:
    return Response(b"x" * LARGE_BYTES)


async def large_in_chunks(_request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGE_BYTES // 2**16):
            yield bytes(2**16)

    return StreamingResponse(chunks())


async def blocks(_request: Request) -> Response:
    time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - what it must not
    return JSONResponse(_answers("blocks"))


async def blocks_in_stream(_request: Request) -> Response:
    """In a task of its own: Starlette sends a stream in one."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251
        yield b"}"

    return StreamingResponse(chunks())


async def holds(_request: Request) -> Response:
    """Lets nobody cancel it."""
    while True:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            continue


async def answers_at_once(_request: Request) -> Response:
    return JSONResponse(_answers("sleeps"))


native = Starlette(
    routes=[
        Route("/agrees", agrees),
        Route("/waits", waits),
        Route("/raises", raises),
        Route("/exits", exits),
        Route("/exits-in-stream", exits_in_stream),
        Route("/streams", streams),
        Route("/trickles", trickles),
        Route("/large", large),
        Route("/large-in-chunks", large_in_chunks),
        Route("/blocks", blocks),
        Route("/blocks-in-stream", blocks_in_stream),
        Route("/holds", holds),
        Route("/sleeps", answers_at_once),
    ]
)
