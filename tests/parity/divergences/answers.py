"""Native endpoints that answer in another form, and leave what they should."""

import gzip
import json
from collections.abc import AsyncIterator

from fastapi import Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from fastapi_app.requests import json_answer
from tests.parity.divergences.seeding import Change, Divergences, Handler, Json, Native, content_of
from tests.parity.divergences.traffic import (
    GET_CAN_TRADE,
    GET_CONFIG,
    GET_HEALTH,
    GET_STATUS,
    POST_TRADE,
    PUT_CONFIG,
)

ANSWERS = Divergences()

# Status


@ANSWERS.at(GET_CAN_TRADE, "status")
def another_status_of_the_same_class(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 203), status=200)


@ANSWERS.at(POST_TRADE, "status")
def a_created_trade_is_answered_200(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer)), status=201)


@ANSWERS.at(PUT_CONFIG, "status", times=2)
def bad_requests_are_answered_422(native: Native) -> None:
    native.answer(lambda answer: json_answer(content_of(answer), 422), status=400)


@ANSWERS.at(GET_STATUS, "status", "headers.location", "headers.content-type", "body")
def a_redirect_instead_of_an_answer(native: Native) -> None:
    native.answer(lambda _: RedirectResponse("/api/v2/status"))


# Fields


@ANSWERS.at(GET_STATUS, "body.server_time")
def a_field_is_missing(native: Native) -> None:
    native.json(lambda body: body.pop("server_time"), status=200)


@ANSWERS.at(GET_STATUS, "body.bot.last_cycle")
def a_null_is_left_out(native: Native) -> None:
    native.json(lambda body: body["bot"].pop("last_cycle"), status=200)


@ANSWERS.at(POST_TRADE, "body.max_trades_per_day")
def a_field_of_an_error_is_missing(native: Native) -> None:
    native.json(lambda body: body.pop("max_trades_per_day"), status=409)


@ANSWERS.at(GET_HEALTH, "body.version", times=1)
def a_field_too_many(native: Native) -> None:
    native.json(lambda body: body.update(version="2.0"))


@ANSWERS.at(GET_CAN_TRADE, "body.can_trade", "body.canTrade")
def a_field_has_another_name(native: Native) -> None:
    native.json(lambda body: body.update(canTrade=body.pop("can_trade")), status=200)


@ANSWERS.at(PUT_CONFIG, "body.start_hour", "body.data")
def the_body_is_wrapped(native: Native) -> None:
    def wrap(body: Json) -> None:
        data = dict(body)
        body.clear()
        body["data"] = data

    native.json(wrap, status=200)


@ANSWERS.at(POST_TRADE, "body.error", "body.detail")
def errors_come_in_the_form_of_the_framework(native: Native) -> None:
    native.json(lambda body: body.update(detail=body.pop("error")), status=400)


# Values


@ANSWERS.at(GET_CAN_TRADE, "body.can_trade")
def a_boolean_becomes_a_number(native: Native) -> None:
    native.json(lambda body: body.update(can_trade=int(body["can_trade"])), status=200)


@ANSWERS.at(GET_CAN_TRADE, "body.can_trade")
def a_boolean_becomes_a_text(native: Native) -> None:
    native.json(lambda body: body.update(can_trade=str(body["can_trade"]).lower()), status=200)


@ANSWERS.at(GET_CONFIG, "body.max_trades_per_day")
def a_whole_number_becomes_a_float(native: Native) -> None:
    native.json(lambda body: body.update(max_trades_per_day=float(body["max_trades_per_day"])))


@ANSWERS.at(POST_TRADE, "body.trades_today")
def a_number_becomes_a_text(native: Native) -> None:
    native.json(lambda body: body.update(trades_today=str(body["trades_today"])), status=201)


@ANSWERS.at(POST_TRADE, "body.trade.quantity")
def a_decimal_becomes_a_float(native: Native) -> None:
    native.json(lambda body: body["trade"].update(quantity=float(body["trade"]["quantity"])), status=201)


@ANSWERS.at(POST_TRADE, "body.trade.strategy")
def a_null_becomes_an_empty_text(native: Native) -> None:
    native.json(lambda body: body["trade"].update(strategy=body["trade"]["strategy"] or ""), status=201)


@ANSWERS.at(POST_TRADE, "body.trade.strategy", times=2)
def letters_beyond_ascii_are_garbled(native: Native) -> None:
    def garble(body: Json) -> None:
        body["trade"]["strategy"] = (body["trade"]["strategy"] or "none").encode().decode("latin-1")
        if body["trade"]["strategy"] == "none":
            body["trade"]["strategy"] = None

    native.json(garble, status=201)


@ANSWERS.at(GET_STATUS, "body.server_time")
def an_instant_without_its_microseconds(native: Native) -> None:
    native.json(lambda body: body.update(server_time=body["server_time"][:19] + "Z"), status=200)


@ANSWERS.at(GET_STATUS, "body.server_time")
def an_offset_instead_of_a_z(native: Native) -> None:
    native.json(lambda body: body.update(server_time=body["server_time"].replace("Z", "+00:00")), status=200)


@ANSWERS.at(POST_TRADE, "body.error", times=2)
def another_sentence_for_a_refusal(native: Native) -> None:
    native.json(lambda body: body.update(error=body["error"].replace("trading window", "window")), status=403)


# Bytes


@ANSWERS.at(GET_CAN_TRADE, "body")
def a_key_comes_twice(native: Native) -> None:
    native.answer(lambda answer: _json(b'{"can_trade":false,' + bytes(answer.body)[1:]), status=200)


@ANSWERS.at(GET_CONFIG, "body")
def the_body_is_cut(native: Native) -> None:
    native.answer(lambda answer: _json(bytes(answer.body)[:-3]), status=200)


@ANSWERS.at(GET_CONFIG, "body")
def the_body_is_empty(native: Native) -> None:
    native.answer(lambda _: _json(b""), status=200)


@ANSWERS.at(GET_HEALTH, "headers.content-encoding", times=2)
def the_body_is_compressed_unasked(native: Native) -> None:
    def compress(answer: Response) -> Response:
        body = gzip.compress(bytes(answer.body), mtime=0)
        return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})

    native.answer(compress)


# Headers


@ANSWERS.at(GET_STATUS, "headers.content-type")
def json_is_called_text(native: Native) -> None:
    native.answer(_with_header("content-type", "text/plain; charset=utf-8"), status=200)


@ANSWERS.at(PUT_CONFIG, "headers.content-type", times=2)
def errors_are_called_problems(native: Native) -> None:
    native.answer(_with_header("content-type", "application/problem+json"), status=400)


@ANSWERS.at(GET_CONFIG, "headers.content-type")
def another_charset(native: Native) -> None:
    native.answer(_with_header("content-type", "application/json; charset=latin-1"))


@ANSWERS.at(GET_CONFIG, "headers.content-type")
def no_content_type(native: Native) -> None:
    native.answer(_without_header("content-type"))


@ANSWERS.at(GET_STATUS, "headers.cache-control")
def a_header_too_many(native: Native) -> None:
    native.answer(_with_header("cache-control", "max-age=60"))


@ANSWERS.at(POST_TRADE, "headers.set-cookie.session")
def a_cookie_is_set(native: Native) -> None:
    native.answer(_with_header("set-cookie", "session=1; Path=/"), status=201)


# Exceptions


@ANSWERS.at(GET_CONFIG, "status", "body.error")
def it_raises_instead_of_answering(native: Native) -> None:
    def make(_handler: Handler) -> Handler:
        async def raising(_request: Request) -> Response:
            raise KeyError("timezone")

        return raising

    native.handler(make)


@ANSWERS.at(GET_CONFIG, "raised", "body")
def it_raises_in_the_middle_of_its_answer(native: Native) -> None:
    def raising(answer: Response) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield bytes(answer.body)[:10]
            raise OSError("the template is gone")

        return StreamingResponse(chunks(), media_type="application/json")

    native.answer(raising, status=200)


@ANSWERS.at(GET_CAN_TRADE, "headers.content-type", times=1)
def a_fault_has_the_same_body_under_another_type(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def catching(request: Request) -> Response:
            try:
                return await handler(request)
            except RuntimeError:
                body = json.dumps({"error": "internal server error"}, separators=(",", ":")) + "\n"
                return Response(body, 500, media_type="text/html")

        return catching

    native.handler(make)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _with_header(name: str, value: str) -> Change:
    def change(answer: Response) -> Response:
        answer.headers[name] = value
        return answer

    return change


def _without_header(name: str) -> Change:
    def change(answer: Response) -> Response:
        del answer.headers[name]
        return answer

    return change
