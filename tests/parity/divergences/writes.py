"""Native endpoints that leave something else in the window or its ledger."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from fastapi_app.requests import ports_of
from fastapi_app.routers import trading_window
from fastapi_app.trading_window_async import TradingWindowAsync
from fastapi_app.window import order, rules
from fastapi_app.window.decision import Decision
from fastapi_app.window.order import Order
from shared.errors import Refused
from shared.store.base import IdempotencyKey
from shared.window import Entry, Outcome, WindowState
from shared.window_config import WindowConfig
from shared.wire import ConfigChange, TradeRequest
from shared.wire_fields import plain_decimal
from tests.parity.divergences.seeding import WRITTEN, Divergences, Handler, Native
from tests.parity.divergences.traffic import GET_CAN_TRADE, GET_CONFIG, POST_TRADE, PUT_CONFIG

WRITES = Divergences()

# Trades


@WRITES.at(POST_TRADE, "effects.ledger.default[1]", "effects.windows.default.state.trades_today", *WRITTEN)
def a_trade_is_registered_twice(native: Native) -> None:
    def make(try_register_trade: Any) -> Any:
        async def wrong(window: TradingWindowAsync, trade: Any, **options: Any) -> Decision:
            decision: Decision = await try_register_trade(window, trade, **options)
            if decision.allowed:
                await window.register_trade(trade)
            return decision

        return wrong

    native.replace(TradingWindowAsync, "try_register_trade", make)


@WRITES.at(POST_TRADE, *WRITTEN)
def a_trade_is_answered_and_not_registered(native: Native) -> None:
    def make(try_register_trade: Any) -> Any:
        async def wrong(window: TradingWindowAsync, trade: Any, **options: Any) -> Decision:
            ports = await window.ports()
            snapshot = await ports.windows.snapshot_async("default")
            if options["key"] or snapshot.state["halt"]:
                decision: Decision = await try_register_trade(window, trade, **options)
                return decision
            transition = rules.checked_registration(ports.new_id("trade"), Order.of(trade))
            try:
                outcome = transition(snapshot.config, snapshot.state, ports.instant())
            except Refused as refusal:
                return Decision(at=ports.instant(), reasons=refusal.reasons)
            return Decision(at=ports.instant(), registered=outcome.answer)

        return wrong

    native.replace(TradingWindowAsync, "try_register_trade", make)


@WRITES.at(POST_TRADE, "effects.windows.default.state.trades_today")
def a_trade_is_in_the_ledger_and_not_in_the_count(native: Native) -> None:
    _change_outcome(native, "registration", lambda outcome, state: outcome._replace(state=state))


# The store raises for a key that comes without an entry. The first trade of a day has the day's entry in front of it.
@WRITES.at(POST_TRADE, "effects.ledger.default", "effects.ledger.default[1]", "status")
def a_trade_is_in_the_count_and_not_in_the_ledger(native: Native) -> None:
    _change_outcome(native, "registration", lambda outcome, _state: outcome._replace(entries=()))


@WRITES.at(POST_TRADE, "effects.ledger.default[0].symbol", "effects.ledger.default[1].symbol")
def an_entry_is_not_found_by_its_symbol(native: Native) -> None:
    _change_entries(native, "registration", lambda entry: replace(entry, symbol=None))


@WRITES.at(POST_TRADE, "effects.ledger.default[0].kind", "effects.ledger.default[1].kind")
def an_entry_is_of_another_kind(native: Native) -> None:
    _change_entries(native, "registration", lambda entry: replace(entry, kind="order"))


@WRITES.at(POST_TRADE, "effects.ledger.default[0].data.note", "effects.ledger.default[1].data.note")
def an_entry_holds_more_than_it_should(native: Native) -> None:
    _change_entries(native, "registration", lambda entry: replace(entry, data={**entry.data, "note": ""}))


@WRITES.at(POST_TRADE, "body.trade.id", "effects.ledger.default[0].id", "effects.ledger.default[0].data.id")
def an_id_of_its_own(native: Native) -> None:
    native.replace(rules, "checked_registration", lambda made: lambda _id, trade: made("0001", trade))


@WRITES.at(POST_TRADE, "body.trade.quantity", "effects.ledger.default[0].data.quantity")
def a_decimal_loses_its_closing_zero(native: Native) -> None:
    native.replace(order, "plain_decimal", lambda _: lambda value: plain_decimal(value.normalize()))


@WRITES.at(POST_TRADE, "body.trade.executed_at", "effects.ledger.default[0].data.executed_at")
def an_instant_is_told_to_the_second(native: Native) -> None:
    native.replace(rules, "utc_text", lambda _: lambda instant: f"{instant:%Y-%m-%dT%H:%M:%SZ}")


@WRITES.at(POST_TRADE, "status", *WRITTEN, times=2)
def a_halt_is_ignored(native: Native) -> None:
    async def wrong(window: TradingWindowAsync, trade: TradeRequest, *, key: IdempotencyKey | None) -> Decision:
        ports = await window.ports()
        transition = rules.checked_registration(ports.new_id("trade"), Order.of(trade))
        try:
            applied = await ports.windows.apply_async("default", transition, key=key)
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), registered=applied.answer)

    native.replace(TradingWindowAsync, "try_register_trade", lambda _: wrong)


@WRITES.at(POST_TRADE, "effects.windows.default", times=6)
def a_refused_trade_is_counted(native: Native) -> None:
    def count(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config, {**state, "trades_today": state["trades_today"] + 1}, (), None)

    _write_when_refused(native, count)


@WRITES.at(POST_TRADE, *WRITTEN, times=6)
def a_refused_trade_is_noted_in_the_ledger(native: Native) -> None:
    def note(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config, state, (Entry(id="refusal", kind="refusal", data={}),), None)

    _write_when_refused(native, note)


@WRITES.at(GET_CAN_TRADE, *WRITTEN)
def a_read_writes(native: Native) -> None:
    def note(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
        return Outcome(config, state, (Entry(id="look", kind="look", data={}),), None)

    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            ports = ports_of(request)
            response = await handler(request)
            await ports.windows.apply_async("default", note)
            return response

        return answer

    native.handler(make)


@WRITES.at(GET_CONFIG, "effects.windows.other")
def another_window_is_made(native: Native) -> None:
    def make(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            ports = ports_of(request)
            await ports.windows.create_async("other", WindowConfig())
            return await handler(request)

        return answer

    native.handler(make)


# Changes of the config


@WRITES.at(PUT_CONFIG, "effects.ledger.default")
def a_change_is_not_in_the_ledger(native: Native) -> None:
    _change_outcome(native, "config_change", lambda outcome, _state: outcome._replace(entries=()))


@WRITES.at(PUT_CONFIG, *WRITTEN, times=1)
def a_change_that_changes_nothing_is_in_the_ledger(native: Native) -> None:
    def note(outcome: Outcome[WindowConfig], _state: WindowState) -> Outcome[WindowConfig]:
        config = outcome.config.to_json()
        entry = Entry(id="config", kind="config", data={"before": config, "after": config})
        return outcome._replace(entries=outcome.entries or (entry,))

    _change_outcome(native, "config_change", note)


@WRITES.at(
    PUT_CONFIG,
    "effects.ledger.default[0].data.before.max_trades_per_day",
    "effects.ledger.default[0].data.after.max_trades_per_day",
    "effects.ledger.default[0].data.before.start_hour",
    "effects.ledger.default[0].data.after.start_hour",
)
def before_and_after_are_exchanged(native: Native) -> None:
    def exchanged(entry: Entry) -> Entry:
        return replace(entry, data={"before": entry.data["after"], "after": entry.data["before"]})

    _change_entries(native, "config_change", exchanged)


@WRITES.at(PUT_CONFIG, "effects.ledger.default[0].data.before.timezone")
def before_holds_only_what_changes(native: Native) -> None:
    def shortened(entry: Entry) -> Entry:
        before, after = entry.data["before"], entry.data["after"]
        changed = {name: value for name, value in before.items() if value != after[name]}
        return replace(entry, data={"before": changed, "after": after})

    _change_entries(native, "config_change", shortened)


@WRITES.at(PUT_CONFIG, "effects.windows.default.config.max_trades_per_day", "effects.windows.default.config.start_hour")
def a_change_is_answered_and_not_kept(native: Native) -> None:
    def unkept(outcome: Outcome[WindowConfig], _state: WindowState) -> Outcome[WindowConfig]:
        if not outcome.entries:
            return outcome
        return outcome._replace(config=WindowConfig(**outcome.entries[0].data["before"]))

    _change_outcome(native, "config_change", unkept)


@WRITES.at(PUT_CONFIG, "body.max_trades_per_day", "body.start_hour")
def the_answer_is_the_config_before(native: Native) -> None:
    def old(outcome: Outcome[WindowConfig], _state: WindowState) -> Outcome[WindowConfig]:
        before = outcome.entries[0].data["before"] if outcome.entries else outcome.answer.model_dump()
        return outcome._replace(answer=WindowConfig(**before))

    _change_outcome(native, "config_change", old)


@WRITES.at(PUT_CONFIG, "effects.windows.default.state.trades_today", "effects.windows.default")
def a_change_begins_the_day_anew(native: Native) -> None:
    _change_outcome(
        native, "config_change", lambda outcome, state: outcome._replace(state={**state, "trades_today": 0})
    )


@WRITES.at(PUT_CONFIG, "body.start_hour", "effects.windows.default.config.start_hour")
def what_is_not_given_goes_back_to_its_default(native: Native) -> None:
    def make(config_change: Any) -> Any:
        def wrong(entry_id: str, changes: Mapping[str, Any]) -> Any:
            return config_change(entry_id, {"start_hour": 0, "end_hour": 24, **changes})

        return wrong

    native.replace(rules, "config_change", make)


@WRITES.at(PUT_CONFIG, "status", *WRITTEN, times=2)
def a_change_is_not_validated(native: Native) -> None:
    def read(_content_type: str | None, body: bytes) -> ConfigChange:
        return ConfigChange.model_construct(**json.loads(body))

    def config_change(entry_id: str, changes: Mapping[str, Any]) -> Any:
        def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[WindowConfig]:
            after = config.model_copy(update=dict(changes))
            data = {"before": config.to_json(), "after": after.to_json()}
            entries = (Entry(id=entry_id, kind="config", data=data),) if after != config else ()
            return Outcome(after, state, entries, after)

        return transition

    native.replace(trading_window, "read_config_change", lambda _: read)
    native.replace(rules, "config_change", lambda _: config_change)


def _change_outcome(native: Native, name: str, change: Callable[[Any, WindowState], Any]) -> None:
    def make(rule: Any) -> Any:
        def wrong(*arguments: Any) -> Any:
            transition = rule(*arguments)

            def changed(config: WindowConfig, state: WindowState, instant: datetime) -> Any:
                return change(transition(config, state, instant), state)

            return changed

        return wrong

    native.replace(rules, name, make)


def _change_entries(native: Native, name: str, change: Callable[[Entry], Entry]) -> None:
    def changed(outcome: Any, _state: WindowState) -> Any:
        return outcome._replace(entries=tuple(change(entry) for entry in outcome.entries))

    _change_outcome(native, name, changed)


def _write_when_refused(native: Native, transition: Any) -> None:
    def make(try_register_trade: Any) -> Any:
        async def wrong(window: TradingWindowAsync, *arguments: Any, **options: Any) -> Decision:
            decision: Decision = await try_register_trade(window, *arguments, **options)
            if not decision.allowed:
                await (await window.ports()).windows.apply_async("default", transition)
            return decision

        return wrong

    native.replace(TradingWindowAsync, "try_register_trade", make)
