"""What differs in bytes alone, and no divergence."""

import json

from fastapi import Response

from tests.parity.divergences.seeding import Divergences, Native, content_of
from tests.parity.divergences.traffic import GET_CONFIG, GET_STATUS, POST_TRADE

UNNOTICEABLE = Divergences()


@UNNOTICEABLE.at(GET_CONFIG)
def another_order_of_keys(native: Native) -> None:
    def change(answer: Response) -> Response:
        content = content_of(answer)
        body = json.dumps({name: content[name] for name in reversed(content)})
        return Response(body, answer.status_code, media_type="application/json")

    native.answer(change)


@UNNOTICEABLE.at(POST_TRADE)
def letters_beyond_ascii_are_not_escaped(native: Native) -> None:
    def change(answer: Response) -> Response:
        body = json.dumps(content_of(answer), ensure_ascii=False)
        return Response(body, answer.status_code, media_type="application/json")

    native.answer(change)


@UNNOTICEABLE.at(GET_STATUS)
def json_says_its_charset(native: Native) -> None:
    def change(answer: Response) -> Response:
        answer.headers["content-type"] = "application/json; charset=UTF-8"
        return answer

    native.answer(change)


@UNNOTICEABLE.at(GET_STATUS)
def headers_of_the_server_come_along(native: Native) -> None:
    def change(answer: Response) -> Response:
        answer.headers["server"] = "another"
        answer.headers["server-timing"] = "db;dur=1"
        return answer

    native.answer(change)
