"""When candidates begin: one each turn of the loop, and none for a request that finds the line full."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import SHADOW, NoEffects, asgi, ask, counts_of, cutover_of, wsgi


async def test_of_those_that_wait_one_begins_each_turn_of_the_loop() -> None:
    begun: list[Scope] = []
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async def count_each_turn() -> list[int]:
        counts = [0]
        while counts[-1] < 8:  # the default `concurrency`: none waits for one that waits for something else
            await asyncio.sleep(0)
            counts.append(len(begun))
        return counts

    app = cutover_of(asgi(seen=begun, first=wait), wsgi(), SHADOW)
    counting = asyncio.create_task(count_each_turn())
    await asyncio.gather(*(ask(app, "GET", "/items") for _ in range(12)))
    counts = await counting
    assert {later - earlier for earlier, later in pairwise(counts)} <= {0, 1}
    gate.set()
    assert await counts_of(app) == {"match": 12}


async def test_what_finds_the_line_full_is_counted() -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    app = cutover_of(asgi(first=wait), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1, max_queued=1))
    for _ in range(5):
        assert (await ask(app, "GET", "/items")).status == 200
    gate.set()
    assert await counts_of(app) == {"match": 2, "skipped queue_full": 3}


async def test_a_request_that_finds_the_line_full_is_not_read_before_its_primary() -> None:
    heard = asyncio.Event()

    async def native(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_and_say() -> Message:
            message = await receive()
            heard.set()
            return message

        await asgi()(scope, receive_and_say, send)

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        parts = [b"1", b"2"]

        async def receive() -> Message:
            if len(parts) == 1:
                await heard.wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        await app(scope, receive, send)

    settings = CutoverSettings(pure=["POST /items"], max_queued=0)
    app = cutover_of(native, wsgi(), {"POST /items": "verify"}, settings=settings)
    assert (await asyncio.wait_for(ask(serve, "POST", "/items"), timeout=10)).status == 200
    assert await counts_of(app) == {"skipped queue_full": 1}


async def test_one_that_is_cancelled_before_it_began_costs_no_place() -> None:
    app = cutover_of(asgi(), wsgi(), SHADOW, settings=CutoverSettings(concurrency=1))
    for _ in range(2):
        await ask(app, "GET", "/items")
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
    await ask(app, "GET", "/items")
    assert await asyncio.wait_for(counts_of(app), timeout=10) == {"match": 1, "skipped shutdown": 2}


async def test_a_task_factory_that_runs_tasks_at_once_does_not_run_candidates_in_their_clients_requests() -> None:
    """Such as `asyncio.eager_task_factory`, of Python 3.12."""
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    app = cutover_of(asgi(), wsgi(), SHADOW)
    asyncio.get_running_loop().set_task_factory(factory)
    for _ in range(3):
        await ask(app, "GET", "/items")
    counts = await counts_of(app)
    asyncio.get_running_loop().set_task_factory(None)
    assert counts == {"match": 3}
    assert made == []


async def test_a_slow_endpoint_keeps_no_other_waiting() -> None:
    begun: list[Scope] = []
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    native = asgi(seen=begun, first=wait)
    app = cutover_of(native, wsgi(), {**SHADOW, "GET /slow": "shadow"}, settings=CutoverSettings(concurrency=1))
    for _ in range(20):
        await ask(app, "GET", "/slow")
    await ask(app, "GET", "/items")
    gate.set()
    assert await counts_of(app) == {"match": 21}
    assert "/items" in [scope["path"] for scope in begun[:3]]


@pytest.mark.parametrize(("is_recorded", "counts"), [(False, {"match": 1, "skipped stale": 2}), (True, {"match": 3})])
async def test_what_waits_long_is_compared_only_where_the_world_is_recorded(
    is_recorded: bool, counts: dict[str, int]
) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.4)

    settings = CutoverSettings(concurrency=1, max_queued_seconds=0.3)
    app = cutover_of(
        asgi(first=slowly), wsgi(), SHADOW, settings=settings, effects=NoEffects() if is_recorded else None
    )
    for _ in range(3):
        await ask(app, "GET", "/items")
    assert await counts_of(app) == counts
