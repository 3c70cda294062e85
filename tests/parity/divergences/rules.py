"""Wrong rules of the native side: hours, days, limits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi_app import trading_window_async
from fastapi_app.trading_window_async import TradingWindowAsync
from fastapi_app.window import rules, slots
from fastapi_app.window.decision import Decision
from fastapi_app.window.order import Order
from shared.errors import Reason
from shared.window import RegisteredTrade, Transition, WindowState
from shared.window_config import WindowConfig
from tests.parity.divergences.seeding import WRITTEN, Divergences, Native
from tests.parity.divergences.traffic import GET_CAN_TRADE, GET_STATUS, GET_WITHIN_WINDOW, POST_TRADE

RULES = Divergences()


@RULES.at(POST_TRADE, "status", *WRITTEN)
def the_limit_lets_one_more_through(native: Native) -> None:
    def make(failing: Any) -> Any:
        def lenient(*judged: Any) -> Iterator[Reason]:
            yield from (
                reason for reason in failing(*judged) if reason.code != "DAILY_LIMIT" or reason.value > reason.bound
            )

        return lenient

    native.replace(rules, "failing", make)


@RULES.at(POST_TRADE, "status", *WRITTEN, also={GET_CAN_TRADE: ["body.can_trade"]})
def the_limit_stops_one_trade_early(native: Native) -> None:
    def fewer(free_slots: Any) -> Any:
        return lambda *judged: max(free_slots(*judged) - 1, 0)

    def stricter(failing: Any) -> Any:
        def strict(config: WindowConfig, state: WindowState, at: datetime, order: Order) -> Iterator[Reason]:
            reasons = tuple(failing(config, state, at, order))
            limit = config.max_trades_per_day
            if not reasons and slots.free_slots(config, state, at) == 1:
                reasons = (Reason(code="DAILY_LIMIT", sentence="one too early", value=limit - 1, bound=limit),)
            yield from reasons

        return strict

    native.replace(trading_window_async, "free_slots", fewer)
    native.replace(rules, "failing", stricter)


@RULES.at(
    POST_TRADE,
    "body.trades_today",
    "effects.windows.default.state.trades_today",
    "effects.ledger.default[0].key.answer.trades_today",
    also={GET_CAN_TRADE: ["body.can_trade"]},
)
def the_count_is_off_by_one(native: Native) -> None:
    native.rule("counted_on", lambda counted: lambda day, state: counted(day, state) + 1)


@RULES.at(POST_TRADE, "body.remaining_trades", "effects.ledger.default[0].key.answer.remaining_trades")
def the_rest_is_off_by_one(native: Native) -> None:
    def make(registration: Any) -> Any:
        def wrong(*arguments: Any) -> Transition[RegisteredTrade]:
            def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Any:
                outcome = registration(*arguments)(config, state, instant)
                remaining = outcome.answer["remaining_trades"] + 1
                return outcome._replace(answer={**outcome.answer, "remaining_trades": remaining})

            return transition

        return wrong

    native.replace(rules, "registration", make)


@RULES.at(
    POST_TRADE,
    "body.trade.trade_day",
    "effects.ledger.default[0].trade_day",
    "effects.ledger.default[0].data.trade_day",
    "effects.windows.default.state.trade_day",
)
def the_day_is_that_of_another_zone(native: Native) -> None:
    def make(trading_day: Any) -> Any:
        def day(config: WindowConfig, state: WindowState, at: datetime) -> str:
            found: str = trading_day(config.changed({"timezone": "UTC"}), state, at)
            return found

        return day

    native.replace(rules, "trading_day", make)


@RULES.at(
    GET_WITHIN_WINDOW,
    "body.within_window",
    also={GET_STATUS: ["body.trading_window.within_window"], POST_TRADE: ["status", *WRITTEN]},
)
def the_hours_are_those_of_another_zone(native: Native) -> None:
    _with_schedule_of(native, timezone="UTC")


@RULES.at(
    GET_WITHIN_WINDOW,
    "body.within_window",
    also={GET_STATUS: ["body.trading_window.within_window"], POST_TRADE: ["status", *WRITTEN]},
)
def the_hours_are_ignored(native: Native) -> None:
    _with_schedule_of(native, start_hour=0, end_hour=24)


@RULES.at(POST_TRADE, "status", "body.error")
def the_limit_is_named_before_the_hours(native: Native) -> None:
    def make(failing: Any) -> Any:
        def reversed_(*judged: Any) -> Iterator[Reason]:
            yield from reversed(list(failing(*judged)))

        return reversed_

    native.replace(rules, "failing", make)


@RULES.at(POST_TRADE, "body.error", "body.trading_hours", times=2)
def the_hours_are_told_in_another_form(native: Native) -> None:
    def make(failing: Any) -> Any:
        def told(*judged: Any) -> Iterator[Reason]:
            for reason in failing(*judged):
                if reason.code == "OUTSIDE_HOURS":
                    hours = reason.bound.replace(" ", "")
                    yield replace(reason, sentence=f"outside the trading window {hours}", bound=hours)
                else:
                    yield reason

        return told

    native.replace(rules, "failing", make)


@RULES.at(POST_TRADE, "body.max_trades_per_day", times=2)
def a_refusal_tells_another_limit(native: Native) -> None:
    def make(failing: Any) -> Any:
        def wrong(*judged: Any) -> Iterator[Reason]:
            for reason in failing(*judged):
                yield replace(reason, bound=reason.bound + 1) if reason.code == "DAILY_LIMIT" else reason

        return wrong

    native.replace(rules, "failing", make)


@RULES.at(POST_TRADE, "status", "body.error")
def a_halt_is_told_last(native: Native) -> None:
    def make(try_register_trade: Any) -> Any:
        async def wrong(window: TradingWindowAsync, *arguments: Any, **options: Any) -> Decision:
            decision: Decision = await try_register_trade(window, *arguments, **options)
            return decision._replace(reasons=decision.reasons[::-1])

        return wrong

    native.replace(TradingWindowAsync, "try_register_trade", make)


@RULES.at(GET_CAN_TRADE, "body.can_trade", also={GET_STATUS: ["body.trading_window.can_trade"]})
def can_trade_looks_at_the_hours_too(native: Native) -> None:
    def make(can_trade: Any) -> Any:
        async def wrong(window: TradingWindowAsync) -> bool:
            return await can_trade(window) and await window.is_within_window()

        return wrong

    native.replace(TradingWindowAsync, "can_trade", make)


def _with_schedule_of(native: Native, **changes: Any) -> None:
    native.rule("schedule_of", lambda schedule_of: lambda config: schedule_of(config.changed(changes)))
