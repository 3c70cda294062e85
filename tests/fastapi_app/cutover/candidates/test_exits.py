"""A candidate whose own tasks want the process to end: an error of that candidate, and no more."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_app.cutover.dispatch import Cutover
from tests.fastapi_app.cutover.pairs import ask, counts_of, cutover_of, wsgi

ANSWER = Response(b'{"a":1}', media_type="application/json")
"""As legacy gives it."""


def beside_legacy(handler: Callable[[Request], Awaitable[Response]]) -> Cutover:
    return cutover_of(Starlette(routes=[Route("/items", handler)]), wsgi(b'{"a":1}'), {"GET /items": "shadow"})


async def exits(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("by hand")], ids=repr)
async def test_a_task_that_is_awaited_is_an_error_of_its_candidate(error: BaseException) -> None:
    async def native(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.create_task(exits(error))

    app = cutover_of(native, wsgi(b'{"a":1}'), {"GET /items": "shadow"})
    async with app.running():
        for number in (1, 2):
            assert (await ask(app, "GET", "/items")).body == b'{"a":1}'
            assert await counts_of(app) == {"mismatch": number}
        newest, _ = app.store.mismatches()
    assert newest.candidate.answer.status == 500
    assert newest.candidate.raised == "CandidateExitedError"


async def test_a_stream_which_is_sent_in_a_task_of_its_own_is_one_too() -> None:
    async def handler(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b'{"a":'
            sys.exit(3)

        return StreamingResponse(chunks(), media_type="application/json")

    app = beside_legacy(handler)
    async with app.running():
        assert (await ask(app, "GET", "/items")).body == b'{"a":1}'
        assert await counts_of(app) == {"mismatch": 1}


async def test_a_task_of_a_task_that_nobody_awaits_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def leaves_one() -> None:
        # Held by nobody: it ends before it is collected, for it never waits.
        asyncio.create_task(exits_at_once())  # noqa: RUF006

    async def exits_at_once() -> None:
        sys.exit(3)

    async def handler(_request: Request) -> Response:
        await asyncio.create_task(leaves_one())
        await asyncio.sleep(0)
        return ANSWER

    app = beside_legacy(handler)
    with caplog.at_level(logging.ERROR, "asyncio"):
        async with app.running():
            await ask(app, "GET", "/items")
            assert await counts_of(app) == {"match": 1}
    assert "CandidateExitedError: SystemExit: 3" in caplog.text


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_cancellation_stays_one_also_before_the_first_step(steps: int) -> None:
    seen: list[str] = []

    async def waits() -> None:
        seen.append("began")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def handler(_request: Request) -> Response:
        task = asyncio.create_task(waits())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return ANSWER

    app = beside_legacy(handler)
    async with app.running():
        await ask(app, "GET", "/items")
        assert await counts_of(app) == {"match": 1}
    assert seen == ["began", "cancelled"][: 2 * steps]


async def test_tasks_of_others_are_made_as_ever() -> None:
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: object, **options: object) -> "asyncio.Task[object]":
        made.append("before")
        return asyncio.Task(coroutine, loop=loop, **options)  # type: ignore[arg-type]

    async def answers() -> int:
        return 1

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)  # type: ignore[arg-type]
    try:
        async with beside_legacy(lambda _request: asyncio.sleep(0, ANSWER)).running():
            made.clear()
            coroutine = answers()
            task = loop.create_task(coroutine, name="own")
            assert task.get_coro() is coroutine
            assert (await task, task.get_name(), made) == (1, "own", ["before"])
        assert loop.get_task_factory() is factory
    finally:
        loop.set_task_factory(None)
