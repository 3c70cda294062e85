"""Native endpoints that run backtests otherwise."""

from fastapi import Request, Response

from fastapi_app.requests import json_answer
from shared.errors import UnknownSymbol
from tests.parity.divergences.seeding import Divergences, Handler, Json, Native, content_of
from tests.parity.divergences.traffic import GET_STRATEGIES, RUN_BACKTEST

BACKTEST = Divergences()


@BACKTEST.at(GET_STRATEGIES, "body.strategies[0]", times=1)
def strategies_are_listed_by_their_names_alone(native: Native) -> None:
    def change(body: Json) -> None:
        body["strategies"] = [strategy["name"] for strategy in body["strategies"]]

    native.json(change)


@BACKTEST.at(GET_STRATEGIES, "body.strategies[1].parameters.min_gap_percent.default", times=1)
def a_default_that_is_exact_becomes_a_float(native: Native) -> None:
    def change(body: Json) -> None:
        parameter = body["strategies"][1]["parameters"]["min_gap_percent"]
        parameter["default"] = float(parameter["default"])

    native.json(change)


@BACKTEST.at(RUN_BACKTEST, "body.equity[19].equity", times=1)
def the_worth_of_the_account_is_rounded(native: Native) -> None:
    def change(body: Json) -> None:
        for point in body["equity"]:
            point["equity"] = point["equity"][:-6]

    native.json(change, status=200)


@BACKTEST.at(RUN_BACKTEST, "body.refusals[0].reason", times=1)
def a_refusal_doesn_t_say_why(native: Native) -> None:
    def change(body: Json) -> None:
        for refusal in body["refusals"]:
            refusal["reason"] = refusal["code"]

    native.json(change, status=200)


@BACKTEST.at(RUN_BACKTEST, "body.refusal_counts", times=1)
def refusals_are_not_counted(native: Native) -> None:
    native.json(lambda body: body.pop("refusal_counts"), status=200)


@BACKTEST.at(RUN_BACKTEST, "status", times=1)
def a_wrong_parameter_is_answered_422(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 422), status=400)


@BACKTEST.at(RUN_BACKTEST, "body.error", times=1)
def the_error_of_a_parameter_says_nothing_of_parameters(native: Native) -> None:
    native.json(lambda body: body.update(error=body["error"].removeprefix("parameters.")), status=400)


@BACKTEST.at(RUN_BACKTEST, "status", "body.error", times=1)
def an_unknown_symbol_has_an_empty_backtest(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except UnknownSymbol:
                return json_answer({"trades": []})

        return answer

    native.handler(make)
