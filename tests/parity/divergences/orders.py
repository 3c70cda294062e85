"""Calls of services outside that the product does not have: both sides are given the same here, by which a trade that
was registered is ordered at a desk, and told of."""

from typing import Any

from fastapi import Request, Response
from flask import Flask
from flask import Response as FlaskResponse

from fastapi_app.requests import ports_of
from legacy_flask.requests import current_ports
from shared.ports import Ports
from tests.parity.divergences.seeding import Handler, Json, Native, content_of
from tests.parity.divergences.traffic import POST_TRADE

Call = tuple[str, str, Json]


class Outside:
    """The services, which note who calls them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def services(self) -> dict[str, object]:
        return {name: _Service(name, self.calls) for name in ("desk", "notifier")}


class _Service:
    def __init__(self, name: str, calls: list[Call]) -> None:
        self._name = name
        self._calls = calls

    def fee(self, **arguments: Any) -> str:
        self._calls.append((self._name, "fee", arguments))
        return "0.10"

    def place(self, **arguments: Any) -> None:
        self._calls.append((self._name, "place", arguments))

    def tell(self, **arguments: Any) -> None:
        self._calls.append((self._name, "tell", arguments))


def add_orders_to_legacy(flask_app: Flask) -> None:
    view: Any = flask_app.view_functions["trading_window.post_trade"]

    def post_trade() -> tuple[FlaskResponse, int]:
        outbound = current_ports().outbound
        fee = outbound.read("desk", "fee")
        answer, status = view()
        trade = answer.get_json()["trade"]
        outbound.effect("desk", "place", symbol=trade["symbol"], quantity=trade["quantity"], fee=fee)
        outbound.effect("notifier", "tell", trade_id=trade["id"])
        return answer, status

    flask_app.view_functions["trading_window.post_trade"] = post_trade


def add_orders_to_native(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def post_trade(request: Request) -> Response:
            ports = ports_of(request)
            fee = await ports.outbound.read_async("desk", "fee")
            response = await handler(request)
            if response.status_code < 300:
                await native.place_order(ports, content_of(response)["trade"], fee)
            return response

        return post_trade

    native.handler(make, endpoint=POST_TRADE)


async def place_order(ports: Ports, trade: Json, fee: str) -> None:
    await ports.outbound.effect_async("desk", "place", symbol=trade["symbol"], quantity=trade["quantity"], fee=fee)
    await ports.outbound.effect_async("notifier", "tell", trade_id=trade["id"])
