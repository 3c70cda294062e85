"""Has the calendars of all windows loaded before anybody asks, and warns the operator before one ends."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from fastapi_app.periodic import Retried, every
from fastapi_app.window.schedule import schedule_of
from shared.errors import CalendarUnavailable, UnknownWindow
from shared.store.base import Store
from shared.window_config import WindowConfig

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 86_400.0
_PAGE = 500


@asynccontextmanager
async def watching_calendars(store: Store) -> AsyncIterator[None]:
    """Loads each window's calendar off the event loop, and logs what ends soon, or can't be had: once before the block,
    which takes some seconds where there are calendars, and then once a day in it."""

    async def look() -> None:
        async for window_id, config in _windows(store):
            if config.calendar is not None:
                await asyncio.to_thread(_check, window_id, config)

    retried = Retried(look, logger, "the calendars of the windows can't be looked through")
    await retried.attempt()
    async with every(PERIOD_SECONDS, retried, name="calendar-watch"):
        yield


async def _windows(store: Store) -> AsyncIterator[tuple[str, WindowConfig]]:
    after: str | None = None
    while page := await store.window_ids_async(after=after, limit=_PAGE):
        for window_id in page:
            with suppress(UnknownWindow):
                yield window_id, (await store.snapshot_async(window_id)).config
        after = page[-1]


def _check(window_id: str, config: WindowConfig) -> None:
    try:
        warning = schedule_of(config).warning(datetime.now(UTC))
    except CalendarUnavailable as exc:
        logger.error("window %r: %s", window_id, exc)  # noqa: TRY400 - the sentence says all
    else:
        if warning is not None:
            logger.warning("window %r: %s", window_id, warning)
