"""Has a server ask what came of the orders that are out, whether a bot runs or not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi_app.orders import reconcile
from shared.errors import TradingWindowError
from shared.ports import LivePorts

logger = logging.getLogger(__name__)


@asynccontextmanager
async def watching_orders(live_ports: LivePorts, seconds: float) -> AsyncIterator[None]:
    """Reconciles every so many seconds while the block runs; where no order is out, that is one look at the window. Any
    number of processes may do so at once."""
    watch = asyncio.create_task(_watch(live_ports, seconds), name="order-watch")
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(live_ports: LivePorts, seconds: float) -> None:
    """What fails is tried again the next time; it is logged once, and not every few seconds."""
    told = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await reconcile(live_ports.for_request())
        except Exception as exc:
            if str(exc) != told:
                # Of an error of the product's own, the sentence says all.
                is_own = isinstance(exc, TradingWindowError)
                logger.error("what came of orders can't be asked: %s", exc, exc_info=not is_own)  # noqa: TRY400
            told = str(exc)
        else:
            told = ""
