"""Native endpoints that start, stop or tell of the bot otherwise, and requests under which each of them shows."""

from typing import Any

from fastapi import Request, Response

from fastapi_app.requests import json_answer, ports_of
from shared.errors import BotIsRunning, BotIsStopped
from tests.parity.case import At, BotRuns, Case, Event, get
from tests.parity.case import Request as Sent
from tests.parity.divergences.seeding import Divergences, Handler, Native, content_of

BOT = Divergences()

START = "POST /api/bot/start"
STOP = "POST /api/bot/stop"
BOT_STATUS = "GET /api/bot-status"
STATUS = "GET /api/status"

BEFORE = Case(name="the bot was never started", steps=())

_START = Sent(method="POST", target="/api/bot/start")
_STOP = Sent(method="POST", target="/api/bot/stop")

TRAFFIC: tuple[tuple[Sent, int] | Event, ...] = (
    (get("/api/bot-status"), 200),
    (_STOP, 400),
    (_START, 200),
    (_START, 400),
    At("2025-03-03T12:01:00Z"),
    BotRuns(candles=2),
    (get("/api/bot-status"), 200),
    (get("/api/status"), 200),
    (_STOP, 200),
    (_STOP, 400),
    (get("/api/bot-status"), 200),
)


@BOT.at(STATUS, "body.bot.status", "body.bot.started_at", "body.bot.last_cycle", times=1)
def the_bot_is_always_stopped(native: Native) -> None:
    native.json(lambda body: body["bot"].update(status="stopped", started_at=None, last_cycle=None))


@BOT.at(BOT_STATUS, "body.last_cycle.at", times=2)
def a_cycle_has_no_microseconds(native: Native) -> None:
    native.json(lambda body: body["last_cycle"] and body["last_cycle"].update(at="2025-03-03T12:01:00Z"))


@BOT.at(BOT_STATUS, "body.symbol", times=3)
def symbols_are_a_list(native: Native) -> None:
    native.json(lambda body: body.update(symbol=[body["symbol"]]))


@BOT.at(START, "status", "effects.calls[0]", times=2)
def a_start_is_taken_up_later(native: Native) -> None:
    native.handler(lambda _: _answers(202, {"status": "started"}))


@BOT.at(START, "effects.calls[1]", times=1)
def a_bot_is_started_twice(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def wrong(request: Request) -> Response:
            answer = await handler(request)
            await ports_of(request).outbound.effect_async("bot", "start", at="2025-03-03T12:00:00.000000Z")
            return answer

        return wrong

    native.handler(make)


@BOT.at(START, "effects.calls[0].arguments.at", times=2)
def a_start_is_told_the_date_alone(native: Native) -> None:
    native.handler(lambda _: _effect("start", at="2025-03-03"))


@BOT.at(START, "status", "body.error", "body.status", times=1)
def a_bot_that_runs_already_is_no_error(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def wrong(request: Request) -> Response:
            try:
                return await handler(request)
            except BotIsRunning:
                return json_answer({"status": "started"})

        return wrong

    native.handler(make)


@BOT.at(STOP, "status", "body.error", times=2)
def a_bot_that_is_stopped_is_not_found(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def wrong(request: Request) -> Response:
            try:
                return await handler(request)
            except BotIsStopped:
                return json_answer({"error": "no bot"}, 404)

        return wrong

    native.handler(make)


@BOT.at(STOP, "body.status", times=1)
def a_stop_is_told_as_it_goes_on(native: Native) -> None:
    native.answer(lambda answer: json_answer({**content_of(answer), "status": "stopping"}), status=200)


@BOT.at(STOP, "effects.calls[0].method", times=3)
def a_stop_starts(native: Native) -> None:
    native.handler(lambda _: _effect("start"))


def _effect(method: str, **arguments: Any) -> Handler:
    async def wrong(request: Request) -> Response:
        return json_answer(await ports_of(request).outbound.effect_async("bot", method, **arguments))

    return wrong


def _answers(status: int, body: dict[str, str]) -> Handler:
    async def wrong(_request: Request) -> Response:
        return json_answer(body, status)

    return wrong
