"""What shows only now and then."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from fastapi import Request, Response

from fastapi_app.requests import json_answer, ports_of
from fastapi_app.routers import status
from shared.errors import StoreUnavailable, TradingWindowError
from shared.window import WindowState
from shared.window_config import WindowConfig
from tests.parity.divergences.seeding import WRITTEN, Divergences, Handler, Native, content_of
from tests.parity.divergences.traffic import GET_CAN_TRADE, GET_STATUS, GET_WITHIN_WINDOW, POST_TRADE

CONDITIONS = Divergences()


@CONDITIONS.at(GET_CAN_TRADE, "body.can_trade", times=1)
def only_the_second_answer_is_wrong(native: Native) -> None:
    requests = count(1)

    def change(answer: Response) -> Response:
        body = content_of(answer)
        return json_answer({"can_trade": body["can_trade"] if next(requests) != 2 else not body["can_trade"]})

    native.answer(change, status=200)


@CONDITIONS.at(GET_CAN_TRADE, "body.can_trade", times=3)
def the_first_answer_is_cached(native: Native) -> None:
    cached: list[Response] = []

    def change(answer: Response) -> Response:
        cached.append(answer)
        return cached[0]

    native.answer(change, status=200)


@CONDITIONS.at(GET_CAN_TRADE, "body.can_trade", times=1)
def only_one_client_gets_a_wrong_answer(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if request.headers.get("x-client-id") == "bot-7":
                return json_answer({"can_trade": False})
            return await handler(request)

        return answer

    native.handler(make)


@CONDITIONS.at(GET_CAN_TRADE, "body.can_trade", times=1)
def only_under_a_halt_is_the_answer_no(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            ports = ports_of(request)
            if (await ports.windows.snapshot_async("default")).state["halt"]:
                return json_answer({"can_trade": False})
            return await handler(request)

        return answer

    native.handler(make)


@CONDITIONS.at(GET_CAN_TRADE, "status", "body.can_trade", times=1)
def a_store_that_can_not_answer_means_yes(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except StoreUnavailable:
                return json_answer({"can_trade": True})

        return answer

    native.handler(make)


@CONDITIONS.at(POST_TRADE, "status", "body.error", times=1)
def a_store_that_can_not_answer_is_a_fault(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except StoreUnavailable as error:
                raise RuntimeError(error) from error

        return answer

    native.handler(make)


@CONDITIONS.at(GET_CAN_TRADE, "body.error", times=1)
def a_fault_is_told_in_full(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except TradingWindowError:
                raise
            except RuntimeError as error:
                return json_answer({"error": repr(error)}, 500)

        return answer

    native.handler(make)


@CONDITIONS.at(
    POST_TRADE,
    "body.trades_today",
    also={GET_CAN_TRADE: ["body.can_trade"], GET_STATUS: ["body.trading_window.can_trade"]},
)
def the_count_goes_on_after_midnight(native: Native) -> None:
    def counted(_day: str, state: WindowState) -> int:
        return state["trades_today"]

    native.rule("counted_on", lambda _: counted)


@CONDITIONS.at(
    POST_TRADE,
    "body.trade.trade_day",
    "effects.ledger.default[0].trade_day",
    "effects.ledger.default[0].data.trade_day",
    "effects.windows.default.state.trade_day",
    *WRITTEN,
    also={GET_CAN_TRADE: ["body.can_trade"]},
)
def the_day_goes_back_with_the_clock(native: Native) -> None:
    def make(trading_day: Any) -> Any:
        def day(config: WindowConfig, state: WindowState, at: datetime) -> str:
            found: str = trading_day(config, {**state, "trade_day": None}, at)
            return found

        return day

    native.rule("trading_day", make)


@CONDITIONS.at(GET_WITHIN_WINDOW, "body.within_window", times=1)
def the_last_hour_is_open_too(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            ports = ports_of(request)
            if ports.instant().hour == 16:
                return json_answer({"within_window": True})
            return await handler(request)

        return answer

    native.handler(make)


@CONDITIONS.at(GET_STATUS, "body.server_time")
def the_time_is_not_the_requests_own(native: Native) -> None:
    native.replace(status, "utc_text", lambda utc_text: lambda _instant: utc_text(datetime.now(UTC)))
