"""The open-loop client against a server on loopback that stalls, or refuses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby

import pytest

from tests.benchmarks.load import HOST, WrongAnswers
from tests.benchmarks.open_loop import Order, ask

STALL_SECONDS = 0.25


@asynccontextmanager
async def _server(
    status: bytes, *, stalls_seconds: float = 0.0, asked: tuple[list[str], str] | None = None
) -> AsyncIterator[int]:
    """Answers nothing until so long after the first request, then all. Adds a name to a list for each request."""
    loop = asyncio.get_running_loop()
    open_from: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if asked is not None:
                    names, name = asked
                    names.append(name)
                open_from.append(loop.time() + stalls_seconds)
                await asyncio.sleep(open_from[0] - loop.time())
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}" % status)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_request_that_could_not_be_sent_is_late_from_when_it_was_due() -> None:
    async with _server(b"200 OK", stalls_seconds=STALL_SECONDS) as port:
        loads = await ask(Order(ports=[port], path="/", rate=1_000, seconds=0.4))
    [load] = loads[port]

    # 250 were due while the server was silent, for 64 connections. A client that waits for answers would have seen 64
    # slow ones and sent the others later.
    assert load.requests == 400
    assert load.p99_ms > 0.8 * STALL_SECONDS * 1e3
    assert load.p50_ms > 20


async def test_servers_are_asked_one_at_a_time_each_time_another_one_first() -> None:
    asked: list[str] = []
    async with _server(b"200 OK", asked=(asked, "one")) as one, _server(b"200 OK", asked=(asked, "other")) as other:
        loads = await ask(Order(ports=[one, other], path="/", rate=1_000, seconds=0.1, turns=3))

    assert [name for name, _ in groupby(asked)] == ["one", "other", "one", "other"]
    assert [load.requests for load in (*loads[one], *loads[other])] == [100] * 6


async def test_an_answer_that_is_not_200_is_no_figure() -> None:
    async with _server(b"503 Service Unavailable") as port:
        with pytest.raises(WrongAnswers, match=r"^an answer was 503$"):
            await ask(Order(ports=[port], path="/", rate=1_000, seconds=0.1))
