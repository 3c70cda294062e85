"""What a process does every so often beside its requests."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from shared.errors import TradingWindowError


class Retried:
    """A step that is tried again and again: what fails is logged once, and anew when it fails otherwise, or again after
    it worked."""

    def __init__(self, step: Callable[[], Awaitable[None]], logger: logging.Logger, what: str) -> None:
        """`what` is said before the error, such as "the bot"."""
        self._step = step
        self._logger = logger
        self._what = what
        self._told: str | None = None

    async def attempt(self) -> None:
        """Awaits the step; raises nothing that it raises."""
        try:
            await self._step()
        except Exception as exc:
            # Of an error of the product's own, the sentence says all.
            is_own = isinstance(exc, TradingWindowError)
            text = str(exc) if is_own else repr(exc)
            if text != self._told:
                self._logger.error("%s: %s", self._what, text, exc_info=not is_own)  # noqa: TRY400
            self._told = text
        else:
            self._told = None


@asynccontextmanager
async def every(seconds: float, look: Retried, *, name: str) -> AsyncIterator[None]:
    """Attempts it every so many seconds while the block runs, the first time after that long, in a task of this name;
    what is under way when the block ends is cancelled."""
    task = asyncio.create_task(_again_and_again(seconds, look), name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again_and_again(seconds: float, look: Retried) -> None:
    while True:
        await asyncio.sleep(seconds)
        await look.attempt()
