"""Waits for an app that goes on behind its answer, as a WSGI app does in `close()`."""

import asyncio

from fastapi_app.bridge.trace import Trace

POLL_SECONDS = 0.001


async def until_finished(trace: Trace) -> None:
    while not trace.finished:  # noqa: ASYNC110
        # It ends in a thread, which knows no asyncio.Event.
        await asyncio.sleep(POLL_SECONDS)


async def has_finished(trace: Trace, *, within_seconds: float) -> bool:
    if trace.finished:
        return True
    try:
        async with asyncio.timeout(within_seconds):
            await until_finished(trace)
    except TimeoutError:
        return False
    return True
