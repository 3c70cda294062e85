"""A native endpoint that calls other services, or calls them otherwise."""

from collections.abc import Callable

from fastapi import Request, Response

from fastapi_app.requests import ports_of
from shared.errors import Refused
from shared.ports import Ports
from tests.parity.divergences.orders import place_order
from tests.parity.divergences.seeding import Divergences, Handler, Json, Native, PlaceOrder
from tests.parity.divergences.traffic import POST_TRADE

CALLS = Divergences()


@CALLS.at(POST_TRADE, "effects.calls[1]")
def a_call_is_forgotten(native: Native) -> None:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await _order(ports, trade, fee)

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[0].arguments.quantity")
def a_call_has_another_argument(native: Native) -> None:
    native.place_order = _with_trade(lambda trade: {**trade, "quantity": f"{trade['quantity']}0"})


@CALLS.at(POST_TRADE, "effects.calls[0].arguments.quantity")
def a_call_has_an_argument_of_another_type(native: Native) -> None:
    native.place_order = _with_trade(lambda trade: {**trade, "quantity": float(trade["quantity"])})


@CALLS.at(POST_TRADE, "effects.calls[0].arguments.fee")
def an_argument_is_left_out(native: Native) -> None:
    async def place(ports: Ports, trade: Json, _fee: str) -> None:
        await ports.outbound.effect_async("desk", "place", symbol=trade["symbol"], quantity=trade["quantity"])
        await ports.outbound.effect_async("notifier", "tell", trade_id=trade["id"])

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[0]", "effects.calls[1]")
def no_call_is_made(native: Native) -> None:
    async def place(_ports: Ports, _trade: Json, _fee: str) -> None:
        """Nothing."""

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[0]")
def a_call_is_made_for_a_refused_trade(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused:
                await ports_of(request).outbound.effect_async("notifier", "tell", trade_id=None)
                raise

        return answer

    native.handler(make)


@CALLS.at(POST_TRADE, "effects.calls[2]")
def a_call_too_many(native: Native) -> None:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await place_order(ports, trade, fee)
        await ports.outbound.effect_async("notifier", "tell", trade_id=trade["id"])

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[0]", "effects.calls[1]")
def calls_come_in_another_order(native: Native) -> None:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await ports.outbound.effect_async("notifier", "tell", trade_id=trade["id"])
        await _order(ports, trade, fee)

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[0].arguments.quantity")
def a_call_has_another_argument_before_a_question_that_was_not_recorded(native: Native) -> None:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await _order(ports, {**trade, "quantity": f"{trade['quantity']}0"}, fee)
        await ports.outbound.read_async("desk", "position", symbol=trade["symbol"])

    native.place_order = place


@CALLS.at(POST_TRADE, "effects.calls[1].method")
def another_method_is_called(native: Native) -> None:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await _order(ports, trade, fee)
        await ports.outbound.effect_async("notifier", "warn", trade_id=trade["id"])

    native.place_order = place


def _with_trade(change: Callable[[Json], Json]) -> PlaceOrder:
    async def place(ports: Ports, trade: Json, fee: str) -> None:
        await place_order(ports, change(trade), fee)

    return place


async def _order(ports: Ports, trade: Json, fee: str) -> None:
    await ports.outbound.effect_async("desk", "place", symbol=trade["symbol"], quantity=trade["quantity"], fee=fee)
