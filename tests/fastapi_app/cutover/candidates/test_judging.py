"""What becomes of a mismatch whose redaction takes long, and of comparisons that would hold up the event loop."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fastapi_app.cutover.candidates import judging
from fastapi_app.cutover.comparing.observation import Mismatch
from shared.modes import EndpointMode
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, wsgi

SHADOW, VERIFY = EndpointMode(mode="shadow"), EndpointMode(mode="verify")


@pytest.fixture
def redaction(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every redaction takes until this is set."""
    through = threading.Event()
    redacted = judging.redacted

    def slowly(found: Mismatch, **options: Any) -> Mismatch:
        through.wait(10)
        return redacted(found, **options)

    monkeypatch.setattr(judging, "redacted", slowly)
    yield through
    through.set()


async def test_an_endpoint_is_moved_while_mismatches_are_being_redacted(redaction: threading.Event) -> None:
    app = cutover_of(asgi(b'{"a":2}'), wsgi(b'{"a":1}'), {"GET /items": SHADOW})
    async with app.running():
        for _ in range(4):
            await ask(app, "GET", "/items")
        await asyncio.sleep(0.05)
        await asyncio.wait_for(app.change({"GET /items": VERIFY}, author="ada", reason="a test"), 1)
        redaction.set()


async def test_bodies_that_take_long_to_compare_do_not_hold_up_the_loop() -> None:
    ours, theirs = (
        json.dumps([[index * step % 3 for index in range(100)] for _ in range(90)]).encode() for step in (1, 2)
    )
    app = cutover_of(asgi(theirs), wsgi(ours), {"GET /items": SHADOW})
    await ask(app, "GET", "/items")
    loop, longest = asyncio.get_running_loop(), 0.0
    while app.health()["comparisons"]["running"]:
        begun = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - begun)
    assert longest < 0.2
    assert await counts_of(app) == {"mismatch": 1}
