"""`async with window.permit(order) as permit`: a slot for as long as an order is on its way."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

from fastapi_app.window.decision import Decision, PermitAnswer
from fastapi_app.window.order import OrderRequest
from fastapi_app.window.permits import ConfirmedPermit
from shared.errors import PermitConflict, Refused, TradingWindowError, UnknownPermit
from shared.window import Trade


class PermitSteps(Protocol):
    """What a block asks of its window."""

    async def reserve(self, request: OrderRequest | Mapping[str, Any] | None = None) -> Decision: ...
    async def mark_sent(self, permit_id: str) -> PermitAnswer: ...
    async def mark_in_doubt(self, permit_id: str) -> PermitAnswer: ...
    async def confirm(
        self, permit_id: str, fill: OrderRequest | Mapping[str, Any] | None = None
    ) -> ConfirmedPermit: ...
    async def release(self, permit_id: str, *, reason: str | None = None) -> PermitAnswer: ...


class PermitBlock:
    """Reserves on entry, and raises Refused with every reason where the rules say no.

    A cancellation meanwhile waits for the store, and gives the slot back.

    Call `sent()` right before the order goes out. The block's end confirms the permit. An exception or a cancellation
    releases it before `sent()`; after it nobody knows what came of the order: the permit is left in doubt, keeps its
    slot, and waits for its reconciliation. A permit that was confirmed or released inside the block stays as it is.

    The block's own exception goes on in any case. Where that last step can't be taken, it has a note that says why; the
    permit's deadline then does the same by itself.
    """

    def __init__(self, window: PermitSteps, request: OrderRequest | Mapping[str, Any] | None) -> None:
        self._window = window
        self._request = request
        self._fill: Mapping[str, Any] | None = None
        self._is_sent = False
        self._is_over = False
        self.id = ""
        self.trade: Trade | None = None
        """What the permit has become; None before that."""

    async def __aenter__(self) -> "PermitBlock":
        reserving = asyncio.ensure_future(self._window.reserve(self._request))
        try:
            decision = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # The store carries out what it was handed, whoever waits: nobody would know of the permit till it expires.
            await self._release_again(reserving)
            raise
        if decision.permit is None:
            raise Refused(*decision.reasons)
        self.id = decision.permit["id"]
        return self

    async def sent(self) -> None:
        """The order goes out now. Raises PermitConflict where the permit has expired: then it must not."""
        try:
            await self._window.mark_sent(self.id)
        except (PermitConflict, UnknownPermit):
            self._is_over = True
            raise
        self._is_sent = True

    def filled(self, *, quantity: Any = None, price: Any = None) -> None:
        """What the order was filled with, where it isn't what was asked for."""
        given = {"quantity": quantity, "price": price}
        self._fill = {name: value for name, value in given.items() if value is not None}

    async def confirm(self) -> Trade:
        """The order was filled; the block's end does it, too."""
        self.trade = (await self._window.confirm(self.id, self._fill))["trade"]
        self._is_over = True
        return self.trade

    async def release(self, reason: str | None = None) -> None:
        """There will be no trade, such as when the exchange has refused the order."""
        await self._window.release(self.id, reason=reason)
        self._is_over = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._is_over:
            return
        if error is None:
            await self.confirm()
        else:
            try:
                await self._give_up(error)
            except TradingWindowError as exc:
                error.add_note(str(exc))

    async def _release_again(self, reserving: "asyncio.Future[Decision]") -> None:
        with suppress(TradingWindowError):
            permit = (await reserving).permit
            if permit is not None:
                await self._window.release(permit["id"], reason=asyncio.CancelledError.__name__)

    async def _give_up(self, error: BaseException) -> None:
        if self._is_sent:
            await self._window.mark_in_doubt(self.id)
        else:
            await self._window.release(self.id, reason=type(error).__name__)
