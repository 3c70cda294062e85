"""Where the bot's intents become orders: permit, order, trade; each step durable, and none done twice."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from fastapi_app.trading_window_async import TradingWindowAsync
from shared.bot.state import Intent
from shared.broker.base import Broker, CandleLike, Fill, Order, OrderRequest
from shared.errors import (
    InsufficientBalance,
    NothingToReduce,
    PermitStatus,
    Reason,
    TooManyOpenOrders,
    TradingWindowError,
    UnknownPermit,
    UnknownSymbol,
)
from shared.ids import Ids, SystemIds
from shared.wire_fields import plain_decimal

_REFUSALS = (InsufficientBalance, NothingToReduce, TooManyOpenOrders, UnknownSymbol)
"""With these a broker says that there is no order."""

RELEASED = "ORDER_REFUSED"


class BotBroker(Broker, Protocol):
    """A Broker that is shown each candle; one whose orders are filled elsewhere answers with no fills."""

    def on_candle(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...

    async def on_candle_async(self, symbol: str, candle: CandleLike, *, at: datetime) -> tuple[Fill, ...]: ...


class OrderIds:
    """Names permit and trade after the order that they are about: `permit-<client order id>`. So an intent that is
    carried out again, by another process too, finds what it left."""

    def __init__(self, others: Ids | None = None) -> None:
        self.client_order_id: str | None = None
        self._others = others or SystemIds()

    def new(self, kind: str) -> str:
        return self._others.new(kind) if self.client_order_id is None else f"{kind}-{self.client_order_id}"


class Carried(NamedTuple):
    """What came of an intent: its order, or why there is none, as a code and a sentence."""

    order: Order | None
    code: str = ""
    why: str = ""


class OrderDesk:
    """The desk of one bot; carries out one intent at a time. `window` draws its ids from `ids`."""

    def __init__(self, window: TradingWindowAsync, broker: Broker, ids: OrderIds) -> None:
        self._window = window
        self._broker = broker
        self._ids = ids

    async def refusals(self, intent: Intent) -> tuple[Reason, ...]:
        """Why the trading window wouldn't allow the intent now; writes nothing."""
        return (await self._window.decide(_facts(intent))).reasons

    async def carry_out(self, intent: Intent, *, at: datetime, fresh_for: timedelta, resumed: bool) -> Carried:
        """Reserves a permit, sends the order, and confirms the permit with what was filled: one trade.

        `resumed` says that an earlier run may have done some of it: that is found, and gone on with; an entry that is
        older than `fresh_for` and was not sent is given up. Raises what nobody knows the outcome of: the permit is in
        doubt then, and the same call, with `resumed`, asks the broker what became of the order.
        """
        permit_id = f"permit-{intent.client_order_id}"
        status = await self._status(permit_id) if resumed else None
        known = await self._broker.order_by_client_id_async(intent.client_order_id) if resumed else None
        if status in ("released", "expired"):
            return Carried(None, RELEASED, "the permit was given back")
        if status == "confirmed":
            return Carried(known)
        if known is None and resumed:
            late = not intent.reduces and at - intent.at > fresh_for
            if late or status == "in_doubt":
                why = "the broker knows no such order" if status == "in_doubt" else "the signal is too old"
                if status is not None:
                    await self._window.release(permit_id, reason=why)
                return Carried(None, RELEASED, why)
        if status is None:
            self._ids.client_order_id = intent.client_order_id
            decision = await self._window.reserve(_facts(intent))
            if not decision.allowed:
                return Carried(None, decision.reasons[0].code, decision.reasons[0].sentence)
        if status in (None, "pending"):
            await self._window.mark_sent(permit_id)
        return await self._placed(intent, permit_id, at=at)

    async def _placed(self, intent: Intent, permit_id: str, *, at: datetime) -> Carried:
        try:
            order = await self._broker.place_async(_request(intent), at=at)
        except _REFUSALS as exc:
            await self._window.release(permit_id, reason=str(exc))
            return Carried(None, RELEASED, str(exc))
        except Exception:
            await self._window.mark_in_doubt(permit_id)
            raise
        if order.status == "open":
            raise StillOpen(order)
        if not order.filled_quantity:
            why = f"the order was {order.status}"
            await self._window.release(permit_id, reason=why)
            return Carried(None, RELEASED, why)
        self._ids.client_order_id = intent.client_order_id
        price = None if order.average_price is None else plain_decimal(order.average_price)
        await self._window.confirm(permit_id, {"quantity": plain_decimal(order.filled_quantity), "price": price})
        return Carried(order)

    async def _status(self, permit_id: str) -> PermitStatus | None:
        try:
            return (await self._window.get_permit(permit_id))["status"]
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
        "price": plain_decimal(intent.price),
        "strategy": intent.strategy,
        "reduces": intent.reduces,
    }


def _request(intent: Intent) -> OrderRequest:
    return OrderRequest(
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        side=intent.side,
        type="market",
        quantity=intent.quantity,
        reduces=intent.reduces,
    )
