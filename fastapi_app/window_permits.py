"""The permits of a trading window: a slot before an order goes out, and what became of it."""

from collections.abc import Mapping
from typing import Any

from fastapi_app.window import permits
from fastapi_app.window.decision import Decision, PermitAnswer
from fastapi_app.window.order import Order, OrderRequest
from fastapi_app.window.permit_block import PermitBlock
from fastapi_app.window.permits import ConfirmedPermit
from fastapi_app.window_access import WindowAccess
from shared.errors import PermitConflict, Refused, UnknownPermit
from shared.ports import Ports
from shared.store.base import IdempotencyKey, LedgerQuery
from shared.window import AnswerT, Asking, Permit, Transition


class WindowPermits(WindowAccess):
    """A window's permits, as transitions on its store."""

    def permit(self, request: OrderRequest | Mapping[str, Any] | None = None) -> PermitBlock:
        """A slot for the order that the block sends: see PermitBlock."""
        return PermitBlock(self, request)

    async def reserve(
        self, request: OrderRequest | Mapping[str, Any] | None = None, *, key: IdempotencyKey | None = None
    ) -> Decision:
        """Reserves a slot before an order goes out. The decision holds the permit, or every reason why not.

        A permit that isn't sent within `permit_seconds` expires, and its slot is free again.
        """
        ports = await self.ports()
        order = Order.of(request)
        transition = permits.reservation(ports.new_id("permit"), order)
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, key=key, asks=Asking(order.symbol))
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), reserved=applied.answer)

    async def reserve_sent(
        self, request: OrderRequest | Mapping[str, Any] | None = None, *, client_order_id: str
    ) -> Decision:
        """As `reserve` and `mark_sent` in one step, for an order that goes out at once under this name.

        Raises OrderOnItsWay while a permit of this name has no end.
        """
        ports = await self.ports()
        order = Order.of(request)
        transition = permits.reservation_of_sent(ports.new_id("permit"), order, client_order_id)
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, asks=Asking(order.symbol))
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), reserved=applied.answer)

    async def mark_sent(self, permit_id: str, *, key: IdempotencyKey | None = None) -> PermitAnswer:
        """The order goes out: the permit expires no more, and is in doubt after `in_doubt_after_seconds`.

        Raises Refused during a halt where the config lets nothing be confirmed.

        This and the steps below raise UnknownPermit, and PermitConflict for a permit that has its end, or is past the
        step; with a key they give the first answer again.
        """
        return await self._step(permits.sending(permit_id), permit_id, key, wanted="sent")

    async def mark_in_doubt(self, permit_id: str, *, key: IdempotencyKey | None = None) -> PermitAnswer:
        """Nobody knows what came of the order: the permit keeps its slot until it is confirmed or released."""
        return await self._step(permits.doubting(permit_id), permit_id, key, wanted="in doubt")

    async def confirm(
        self,
        permit_id: str,
        fill: OrderRequest | Mapping[str, Any] | None = None,
        *,
        key: IdempotencyKey | None = None,
    ) -> ConfirmedPermit:
        """The order was filled, at the `quantity` and `price` of `fill` where it says so: the slot is a trade's now."""
        ports = await self.ports()
        transition = permits.confirmation(permit_id, ports.new_id("trade"), Order.of(fill))
        return await self._step(transition, permit_id, key, wanted="confirmed")

    async def release(
        self, permit_id: str, *, reason: str | None = None, key: IdempotencyKey | None = None
    ) -> PermitAnswer:
        """There is no trade: the slot is free again."""
        return await self._step(permits.release(permit_id, reason), permit_id, key, wanted="released")

    async def open_permits(self) -> list[Permit]:
        """Those without an end, oldest first; those in doubt wait for their reconciliation."""
        ports = await self.ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        return list(state.get("permits", {}).values())

    async def get_permit(self, permit_id: str) -> Permit:
        """Also one that has its end. Raises UnknownPermit."""
        ports = await self.ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        known = state.get("permits", {}).get(permit_id)
        return known or await self._ended(ports, permit_id)

    async def _step(
        self, transition: Transition[AnswerT], permit_id: str, key: IdempotencyKey | None, *, wanted: str
    ) -> AnswerT:
        ports = await self.ports()
        try:
            return (await ports.windows.apply_async(self._window_id, transition, key=key)).answer
        except UnknownPermit:
            ended = await self._ended(ports, permit_id)
            raise PermitConflict(permit_id, ended["status"], wanted) from None

    async def _ended(self, ports: Ports, permit_id: str) -> Permit:
        """A permit that isn't part of the window's state any more, as the ledger tells it. Raises UnknownPermit."""
        newest = await ports.windows.ledger_async(self._window_id, LedgerQuery(subject=permit_id, limit=1))
        if not newest.entries:
            raise UnknownPermit(permit_id)
        data: Any = newest.entries[0].data
        permit: Permit = {name: data[name] for name in Permit.__annotations__ if name in data}  # type: ignore[assignment]
        if permit["status"] == "pending":
            # It is past its deadline, and nobody has written so yet.
            permit = {**permit, "status": "expired", "deadline": None}
        return permit
