"""Has a server ask what came of the orders that are out, whether a bot runs or not."""

import logging
from contextlib import AbstractAsyncContextManager

from fastapi_app.orders import reconcile
from fastapi_app.periodic import Retried, every
from shared.ports import LivePorts

logger = logging.getLogger(__name__)


def watching_orders(live_ports: LivePorts, seconds: float) -> AbstractAsyncContextManager[None]:
    """Reconciles every so many seconds while the block runs; where no order is out, that is one look at the window. Any
    number of processes may do so at once."""

    async def look() -> None:
        await reconcile(live_ports.for_request())

    return every(seconds, Retried(look, logger, "what came of orders can't be asked"), name="order-watch")
