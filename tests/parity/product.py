"""The product's app, built once for many worlds: a world's ports come with each of its requests."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf

import pytest

from fastapi_app.app import TradingWindowApp, create_app
from fastapi_app.cutover.candidates import limits
from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.store.base import CountKey
from shared.modes import EndpointMode
from shared.ports import LivePorts
from shared.settings import CutoverSettings, LimitSettings, Settings
from shared.store.memory import MemoryStore
from tests.parity.arms import World, ask_asgi, in_world
from tests.parity.case import Answer, Request


class Product:
    """Only a mismatch moves an endpoint by itself here: worlds have stores that fail, and a busy machine is no fault.

    Its own store has no window, so that a request which misses its world's ports is answered with an error.
    """

    def __init__(self, loop: asyncio.Runner, *, max_body_bytes: int) -> None:
        self.loop = loop
        settings = Settings(
            limits=LimitSettings(max_body_bytes=max_body_bytes),
            cutover=CutoverSettings(
                max_native_errors=1_000_000,
                costly=[],
                timeout_seconds=60,
                block_seconds=60,
                # Each is to be seen, however fast they come.
                full_mismatches_per_second=1_000_000,
            ),
        )
        self.app: TradingWindowApp = create_app(settings, live_ports=LivePorts(store=MemoryStore()))
        self._counted: Counter[CountKey] = Counter()
        self._newest_mismatch = 0

    async def ask(self, world: World, request: Request) -> tuple[Answer, str | None]:
        """The answer and the side that it came from."""
        return await ask_asgi(in_world(world, self.app), request)

    async def move(self, modes: Mapping[str, EndpointMode]) -> None:
        await self.app.cutover.change(modes, author="the test", reason="drawn")

    async def found(self) -> tuple[Counter[CountKey], Sequence[Mismatch]]:
        """What came of the comparisons since this was asked last, oldest first, once they have all ended."""
        cutover = self.app.cutover
        await cutover.settled()
        counted = Counter(cutover.store.counts())
        counts, self._counted = counted - self._counted, counted
        mismatches = [one for one in cutover.store.mismatches(limit=1_000) if (one.id or 0) > self._newest_mismatch]
        self._newest_mismatch = max([self._newest_mismatch, *(one.id or 0 for one in mismatches)])
        return counts, mismatches[::-1]


@contextmanager
def running_product(*, max_body_bytes: int) -> Iterator[Product]:
    """The app on an event loop of its own, which runs while it is told to."""
    with asyncio.Runner() as loop, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(limits, "HEAVY_SECONDS", inf)
        product = Product(loop, max_body_bytes=max_body_bytes)
        running = product.app.cutover.running()
        loop.run(running.__aenter__())
        try:
            yield product
        finally:
            loop.run(running.__aexit__(None, None, None))


def told(mismatches: Sequence[Mismatch]) -> str:
    """For the message of a test that fails."""
    return "\n".join(
        f"{one.mode} {one.request.method} {one.request.path}?{one.request.query} {one.request.body!r}\n  "
        + "\n  ".join(difference.between(one.primary.side, one.candidate.side) for difference in one.differences)
        for one in mismatches
    )
