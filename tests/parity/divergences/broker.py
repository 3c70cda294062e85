"""Native endpoints that place, cancel or show orders otherwise."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from fastapi_app import order_permits, orders
from fastapi_app.requests import json_answer
from fastapi_app.window import decision, permits
from shared.errors import OrderClosed, OutcomeUnknown
from shared.ports import Ports
from shared.window import Outcome, WindowState
from shared.window_config import WindowConfig
from tests.parity.divergences.order_traffic import (
    DELETE_ORDER,
    GET_BALANCES,
    GET_ORDER,
    GET_ORDERS,
    GET_POSITIONS,
    POST_ORDER,
)
from tests.parity.divergences.seeding import WRITTEN, Divergences, Handler, Json, Native, content_of

BROKER = Divergences()

WINDOW = "effects.windows.default"
LEDGER = "effects.ledger.default"

# What is shown


@BROKER.at(GET_BALANCES, "body.balances[0].total", times=2)
def a_balance_is_a_float(native: Native) -> None:
    native.json(lambda body: body["balances"][0].update(total=float(body["balances"][0]["total"])))


@BROKER.at(GET_BALANCES, "body.balances", times=2)
def balances_have_the_currency_as_their_key(native: Native) -> None:
    native.json(lambda body: body.update(balances={each["currency"]: each for each in body["balances"]}))


@BROKER.at(GET_POSITIONS, "body.positions[0].side", times=1)
def a_position_is_bought_and_not_long(native: Native) -> None:
    native.json(lambda body: [each.update(side="buy") for each in body["positions"]])


@BROKER.at(GET_POSITIONS, "body.positions[0].entry_price", times=1)
def an_entry_price_is_rounded_to_the_cent(native: Native) -> None:
    def change(body: Json) -> None:
        for each in body["positions"]:
            each["entry_price"] = each["entry_price"][:8]

    native.json(change)


@BROKER.at(GET_ORDERS, "body.orders[0]", times=2)
def the_oldest_order_comes_first(native: Native) -> None:
    native.json(lambda body: body["orders"].reverse(), status=200)


@BROKER.at(GET_ORDERS, "body.count", times=2)
def orders_are_not_counted(native: Native) -> None:
    native.json(lambda body: body.pop("count"), status=200)


@BROKER.at(GET_ORDER, "body.price", times=1)
def a_price_of_an_order_loses_its_closing_zero(native: Native) -> None:
    native.json(lambda body: body.update(price=body["price"].rstrip("0").rstrip(".")), status=200)


@BROKER.at(GET_ORDER, "status", "body", times=1)
def an_order_that_is_not_known_is_null(native: Native) -> None:
    native.answer(lambda _: Response(b"null", media_type="application/json"), status=404)


@BROKER.at(POST_ORDER, "status", times=6)
def a_new_order_is_answered_200(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer)), status=201)


@BROKER.at(POST_ORDER, "body.needed", "body.available", times=1)
def too_small_a_balance_is_told_without_the_amounts(native: Native) -> None:
    def change(answer: Response) -> Response:
        content = content_of(answer)
        return json_answer({name: each for name, each in content.items() if name not in ("needed", "available")}, 409)

    native.answer(change, status=409)


@BROKER.at(POST_ORDER, "status", times=1)
def an_answer_that_is_lost_is_a_gateway_s_time_out(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 504), status=503)


# What is done


@BROKER.at(POST_ORDER, "effects.calls[1]")
def an_order_is_sent_twice(native: Native) -> None:
    def make(send: Any) -> Any:
        async def wrong(ports: Ports, request: Any, permit_id: str) -> Any:
            placed = await send(ports, request, permit_id)
            await ports.outbound.effect_async("broker", "place", client_order_id=f"{request.client_order_id}-2")
            return placed

        return wrong

    native.replace(orders, "_send", make)


@BROKER.at(POST_ORDER, "effects.calls[0]", times=1)
def an_order_that_was_lost_is_sent_again(native: Native) -> None:
    def make(place: Any) -> Any:
        async def wrong(ports: Ports, request: Any, *, may_be_known: bool = False) -> Any:
            answer = await place(ports, request, may_be_known=may_be_known)
            if may_be_known and answer["status"] == "filled":
                await ports.outbound.effect_async("broker", "place", client_order_id=request.client_order_id)
            return answer

        return wrong

    native.replace(orders, "place", make)


@BROKER.at(POST_ORDER, "effects.calls[0].arguments.client_order_id")
def an_order_has_a_name_of_its_own(native: Native) -> None:
    def make(reserve: Any) -> Any:
        async def wrong(ports: Ports, request: Any) -> Any:
            permit_id, reserved = await reserve(ports, request)
            return permit_id, replace(reserved, client_order_id="mine")

        return wrong

    native.replace(orders, "_reserve", make)


@BROKER.at(POST_ORDER, "effects.calls[0].arguments.reduces", times=2)
def what_reduces_is_not_told_to_the_broker(native: Native) -> None:
    def make(reserve: Any) -> Any:
        async def wrong(ports: Ports, request: Any) -> Any:
            permit_id, reserved = await reserve(ports, request)
            return permit_id, replace(reserved, reduces=False)

        return wrong

    native.replace(orders, "_reserve", make)


@BROKER.at(POST_ORDER, LEDGER, f"{LEDGER}[2]", f"{WINDOW}.state.permits", also={DELETE_ORDER: [LEDGER, WINDOW]})
def a_trade_that_was_filled_is_not_registered(native: Native) -> None:
    def make(_settle: Any) -> Any:
        async def wrong(_ports: Ports, _order: Json) -> bool:
            return True

        return wrong

    native.replace(order_permits, "settle", make)


@BROKER.at(POST_ORDER, f"{LEDGER}[3].data.price", f"{LEDGER}[1].data.price")
def a_trade_is_registered_at_the_price_that_was_asked_for(native: Native) -> None:
    def make(confirmation: Any) -> Any:
        def wrong(permit_id: str, trade_id: str, filled: Any, seen: Any) -> Any:
            return confirmation(permit_id, trade_id, filled._replace(price=None), seen)

        return wrong

    native.replace(permits, "confirmation", make)


@BROKER.at(POST_ORDER, "status", "body.error", times=1)
def a_key_stands_for_its_order_whatever_is_asked_for(native: Native) -> None:
    native.replace(orders, "is_for", lambda _: lambda _order, _request: True)


@BROKER.at(POST_ORDER, f"{LEDGER}[3].data.status", f"{WINDOW}.state.trades_today", f"{WINDOW}.state.permits")
def an_order_that_was_lost_gives_its_slot_back(native: Native) -> None:
    native.replace(permits, "doubting", lambda _: lambda permit_id: permits.release(permit_id, "lost"))


@BROKER.at(POST_ORDER, f"{LEDGER}[3]", f"{WINDOW}.state.permits", also={DELETE_ORDER: [LEDGER, WINDOW]}, times=2)
def an_order_that_was_refused_keeps_its_slot(native: Native) -> None:
    def make(_release: Any) -> Any:
        async def wrong(_ports: Ports, _permit: Any, _why: str) -> None:
            """Nothing."""

        return wrong

    native.replace(order_permits, "release", make)


@BROKER.at(POST_ORDER, "status", "body.error", "body.trading_hours", times=1)
def an_order_is_not_asked_for_the_hour(native: Native) -> None:
    native.replace(decision, "schedule_of", lambda schedule_of: lambda _config: schedule_of(WindowConfig()))


@BROKER.at(POST_ORDER, "status", *WRITTEN)
def the_limit_is_not_asked(native: Native) -> None:
    native.replace(decision, "reached_limits", lambda _: lambda *_: [])


@BROKER.at(POST_ORDER, f"{WINDOW}.state.trades_today", times=2)
def what_reduces_takes_a_slot(native: Native) -> None:
    def make(reserve: Any) -> Any:
        async def wrong(ports: Ports, request: Any) -> Any:
            permit_id, reserved = await reserve(ports, request)
            if reserved.reduces:
                await ports.windows.apply_async("default", one_more)
            return permit_id, reserved

        return wrong

    def one_more(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config, {**state, "trades_today": state["trades_today"] + 1}, (), None)

    native.replace(orders, "_reserve", make)


@BROKER.at(DELETE_ORDER, f"{WINDOW}", LEDGER, times=1)
def a_cancelled_order_keeps_its_slot(native: Native) -> None:
    def make(_cancel: Any) -> Any:
        async def wrong(ports: Ports, order_id: str) -> Any:
            at = ports.instant().replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
            return await ports.outbound.effect_async("broker", "cancel", order_id=order_id, at=at)

        return wrong

    native.replace(orders, "cancel", make)


@BROKER.at(DELETE_ORDER, "effects.calls[0].arguments.order_id")
def another_order_is_cancelled(native: Native) -> None:
    native.replace(orders, "cancel", lambda cancel: lambda ports, order_id: cancel(ports, f"{order_id}0"))


@BROKER.at(DELETE_ORDER, "status", "body.error", times=1)
def an_order_that_has_ended_is_cancelled_again(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except OrderClosed as closed:
                return json_answer({"id": closed.order_id})

        return answer

    native.handler(make)


@BROKER.at(POST_ORDER, "status", times=1)
def a_lost_answer_is_taken_for_an_order(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except OutcomeUnknown:
                return json_answer({}, 201)

        return answer

    native.handler(make)
