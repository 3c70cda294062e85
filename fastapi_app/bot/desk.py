"""Where the bot's intents become orders: permit, order, trade; each step durable, and none done twice."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from fastapi_app.order_permits import account_for_sent, give_up
from fastapi_app.trading_window_async import TradingWindowAsync
from shared.bot.broker import BotBroker
from shared.bot.events import ORDER_REFUSED
from shared.bot.order_ids import OrderIds
from shared.bot.state import Intent
from shared.broker.base import Order, given_up_after
from shared.errors import (
    OutcomeUnknown,
    PermitConflict,
    Reason,
    TradingWindowError,
    UnknownPermit,
)
from shared.window import Permit
from shared.wire_fields import plain_decimal


class Carried(NamedTuple):
    """What came of an intent: its order, or why there is none, as a code and a sentence."""

    order: Order | None
    code: str = ""
    why: str = ""


class OrderDesk:
    """The desk of one bot; carries out one intent at a time. `window` draws its ids from `ids`.

    `before_placing` is asked right before an order goes out, and raises LeaseLost where another process runs the bot by
    then: it may have given the order up, and nobody would know of a position that comes of it.
    """

    def __init__(
        self,
        window: TradingWindowAsync,
        broker: BotBroker,
        ids: OrderIds,
        *,
        before_placing: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._before_placing = before_placing
        self._window = window
        self._broker = broker
        self._ids = ids

    async def refusals(self, intent: Intent) -> tuple[Reason, ...]:
        """Why the trading window wouldn't allow the intent now; writes nothing."""
        return (await self._window.decide(_facts(intent))).reasons

    async def carry_out(self, intent: Intent, *, at: datetime, fresh_for: timedelta, resumed: bool) -> Carried:
        """Reserves a permit, sends the order, and confirms the permit with what was filled: one trade.
        Where somebody has given that permit up meanwhile, another one takes its place (order_permits).

        `resumed` says that an earlier try may have done some of it: that is found, and gone on with; an entry that is
        older than `fresh_for` and not at the broker is given up. Raises OutcomeUnknown where nobody knows, and
        StillOpen: the intent has to be carried out again, as resumed, until neither is raised.
        """
        permit_id = f"permit-{intent.client_order_id}"
        permit = await self._permit(permit_id) if resumed else None
        known = await self._broker.order_by_client_id_async(intent.client_order_id) if resumed else None
        status = None if permit is None else permit["status"]
        if status == "confirmed":
            return Carried(known)
        if known is None:
            if status in ("released", "expired"):
                return Carried(None, ORDER_REFUSED, "the permit was given back")
            why = await self._given_up(intent, permit, at=at, fresh_for=fresh_for) if resumed else None
            if why is not None and (permit is None or await self._give_up(intent, permit, why) is None):
                return Carried(None, ORDER_REFUSED, why)
        if status is None:
            self._ids.client_order_id = intent.client_order_id
            decision = await self._window.reserve_sent(_facts(intent), client_order_id=intent.client_order_id)
            if not decision.allowed:
                return Carried(None, decision.reasons[0].code, decision.reasons[0].sentence)
        return await self._placed(intent, permit_id, at=at)

    async def _given_up(
        self, intent: Intent, permit: Permit | None, *, at: datetime, fresh_for: timedelta
    ) -> str | None:
        """Why an order that the broker doesn't know is not to be placed any more; None: it may be placed."""
        may_be_on_its_way = permit is not None and not self._broker.knows_at_once
        if permit is not None and (may_be_on_its_way or permit["status"] == "in_doubt"):
            config = await self._window.get_config()
            waits = given_up_after(config.in_doubt_after_seconds, self._broker.settles_after_seconds)
            if at < datetime.fromisoformat(permit["reserved_at"]) + waits:
                raise OutcomeUnknown(f"the order {intent.client_order_id} may be on its way")
            return "the broker knows no such order"
        return "the signal is too old" if at - intent.at > fresh_for and not intent.reduces else None

    async def _give_up(self, intent: Intent, permit: Permit, why: str) -> Mapping[str, Any] | None:
        self._ids.client_order_id = intent.client_order_id
        return await give_up(await self._window.ports(), permit, why, partial(self._look, intent))

    async def _look(self, intent: Intent) -> Mapping[str, Any] | None:
        order = await self._broker.order_by_client_id_async(intent.client_order_id)
        return None if order is None else order.to_json()

    async def _placed(self, intent: Intent, permit_id: str, *, at: datetime) -> Carried:
        if self._before_placing is not None:
            await self._before_placing()
        try:
            order = await self._broker.place_async(intent.request(), at=at)
        except Exception as exc:
            # A broker's own errors say that there is no order, but for OutcomeUnknown. Who reconciles may have ended
            # the permit meanwhile.
            if isinstance(exc, TradingWindowError) and not isinstance(exc, OutcomeUnknown):
                with suppress(PermitConflict):
                    await self._window.release(permit_id, reason=str(exc))
                return Carried(None, ORDER_REFUSED, str(exc))
            with suppress(PermitConflict):
                await self._window.mark_in_doubt(permit_id)
            raise
        self._ids.client_order_id = intent.client_order_id
        ports, look = await self._window.ports(), partial(self._look, intent)
        await account_for_sent(ports, order.to_json(), look, strategy=intent.strategy)
        if order.status == "open":
            raise StillOpen(order)
        if not order.filled_quantity:
            return Carried(None, ORDER_REFUSED, f"the order was {order.status}")
        return Carried(order)

    async def _permit(self, permit_id: str) -> Permit | None:
        try:
            return await self._window.get_permit(permit_id)
        except UnknownPermit:
            return None


class StillOpen(TradingWindowError):
    """A market order that the broker has taken and not filled yet; the intent is carried on with the next cycle."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"the order {order.client_order_id} is not filled yet")


def _facts(intent: Intent) -> dict[str, Any]:
    return {
        "symbol": intent.symbol,
        "side": intent.side,
        "quantity": plain_decimal(intent.quantity),
        "strategy": intent.strategy,
        "reduces": intent.reduces,
    }
