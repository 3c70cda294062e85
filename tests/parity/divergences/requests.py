"""Native endpoints that read requests in another way."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from fastapi_app import requests
from fastapi_app.routers import trading_window
from shared.errors import InvalidField
from shared.store.base import IdempotencyKey
from shared.wire import ConfigChange, TradeRequest, TradesQuery
from tests.parity.divergences.seeding import WRITTEN, Divergences, Native
from tests.parity.divergences.traffic import GET_TRADES, POST_TRADE, PUT_CONFIG

REQUESTS = Divergences()


@REQUESTS.at(POST_TRADE, "body.error", times=1)
def of_two_wrong_fields_the_other_is_named(native: Native) -> None:
    def make(read_trade: Any) -> Any:
        def read(content_type: str | None, body: bytes) -> TradeRequest:
            try:
                trade: TradeRequest = read_trade(content_type, body)
            except InvalidField as error:
                if error.field == "side":
                    raise InvalidField("quantity", -1, error.rule) from error
                raise
            return trade

        return read

    native.replace(trading_window, "read_trade", make)


@REQUESTS.at(POST_TRADE, "status", "body.error", *WRITTEN, times=2)
def the_body_is_read_whatever_its_type_and_size(native: Native) -> None:
    async def read(request: Request) -> bytes:
        return await request.body()

    def make(read_trade: Any) -> Any:
        def read(_content_type: str | None, body: bytes) -> TradeRequest:
            trade: TradeRequest = read_trade("application/json", body)
            return trade

        return read

    native.replace(trading_window, "json_body", lambda _: read)
    native.replace(trading_window, "read_trade", make)


@REQUESTS.at(POST_TRADE, "status", "body.error", times=1)
def the_limit_of_a_body_is_off_by_one(native: Native) -> None:
    def make(json_body: Any) -> Any:
        async def read(request: Request) -> bytes:
            request.app.state.max_body_bytes += 1
            try:
                body: bytes = await json_body(request)
            finally:
                request.app.state.max_body_bytes -= 1
            return body

        return read

    native.replace(trading_window, "json_body", make)


@REQUESTS.at(PUT_CONFIG, "status", "body.timezone", times=1)
def an_unknown_field_is_ignored(native: Native) -> None:
    def make(read_config_change: Any) -> Any:
        def read(content_type: str | None, body: bytes) -> ConfigChange:
            known = {name: value for name, value in json.loads(body).items() if name in ConfigChange.model_fields}
            change: ConfigChange = read_config_change(content_type, json.dumps(known).encode())
            return change

        return read

    native.replace(trading_window, "read_config_change", make)


@REQUESTS.at(PUT_CONFIG, "status", *WRITTEN, times=1)
def a_wrong_number_is_clamped(native: Native) -> None:
    bounds = {"start_hour": 23, "end_hour": 24, "max_trades_per_day": 1_000_000}

    def make(read_config_change: Any) -> Any:
        def read(content_type: str | None, body: bytes) -> ConfigChange:
            clamped = {
                name: min(max(value, 0), bounds[name]) if name in bounds else value
                for name, value in json.loads(body).items()
            }
            change: ConfigChange = read_config_change(content_type, json.dumps(clamped).encode())
            return change

        return read

    native.replace(trading_window, "read_config_change", make)


@REQUESTS.at(POST_TRADE, "effects.ledger.default[0].data.strategy", "body.trade.strategy", times=2)
def an_optional_field_is_dropped(native: Native) -> None:
    _change_trade(native, strategy=None)


@REQUESTS.at(
    POST_TRADE,
    "body.trade.symbol",
    "effects.ledger.default[0].symbol",
    "effects.ledger.default[0].data.symbol",
    "effects.calls[0].arguments.symbol",
    "status",
)
def a_field_is_normalised(native: Native) -> None:
    def make(read_trade: Any) -> Any:
        def read(content_type: str | None, body: bytes) -> TradeRequest:
            trade: TradeRequest = read_trade(content_type, body)
            return trade.model_copy(update={"symbol": trade.symbol.replace("-", "/")})

        return read

    native.replace(trading_window, "read_trade", make)


@REQUESTS.at(POST_TRADE, "status", *WRITTEN, times=1)
def a_malformed_key_is_taken_for_none(native: Native) -> None:
    def make(read_idempotency_key: Any) -> Any:
        def read(header: str | None, **options: Any) -> IdempotencyKey | None:
            try:
                key: IdempotencyKey | None = read_idempotency_key(header, **options)
            except InvalidField:
                return None
            return key

        return read

    native.replace(requests, "read_idempotency_key", make)


# The first trade of a day has the day's entry in front of it.
@REQUESTS.at(
    POST_TRADE, "effects.ledger.default[0].key", "effects.ledger.default[1].key", *WRITTEN, "body.trade.id", "status"
)
def idempotency_keys_are_ignored(native: Native) -> None:
    native.replace(requests, "read_idempotency_key", lambda _: lambda *_arguments, **_options: None)


@REQUESTS.at(
    POST_TRADE,
    "effects.ledger.default[0].key.endpoint",
    "effects.ledger.default[1].key.endpoint",
    "body.trade.id",
    "status",
)
def keys_are_kept_under_the_name_of_another_endpoint(native: Native) -> None:
    _change_key(native, endpoint="POST /trades")


@REQUESTS.at(
    POST_TRADE, "effects.ledger.default[0].key.fingerprint", "effects.ledger.default[1].key.fingerprint", "status"
)
def keys_are_kept_with_another_fingerprint(native: Native) -> None:
    _change_key(native, fingerprint="0" * 64)


@REQUESTS.at(GET_TRADES, "status", "body.trades", "body.count", times=1)
def a_limit_of_nothing_is_allowed(native: Native) -> None:
    def make(read_trades_query: Any) -> Any:
        def read(query: bytes) -> TradesQuery:
            try:
                given: TradesQuery = read_trades_query(query)
            except InvalidField:
                return TradesQuery.model_construct(limit=0)
            return given

        return read

    native.replace(trading_window, "read_trades_query", make)


@REQUESTS.at(GET_TRADES, "body.trades[1]", "body.count", times=1)
def of_a_repeated_parameter_the_last_value_counts(native: Native) -> None:
    def make(read_trades_query: Any) -> Any:
        def read(query: bytes) -> TradesQuery:
            given: TradesQuery = read_trades_query(urlencode(dict(parse_qsl(query.decode()))).encode())
            return given

        return read

    native.replace(trading_window, "read_trades_query", make)


def _change_trade(native: Native, **fields: Any) -> None:
    def make(read_trade: Any) -> Any:
        def read(content_type: str | None, body: bytes) -> TradeRequest:
            trade: TradeRequest = read_trade(content_type, body)
            return trade.model_copy(update=fields)

        return read

    native.replace(trading_window, "read_trade", make)


def _change_key(native: Native, **fields: str) -> None:
    def make(read_idempotency_key: Any) -> Any:
        def read(header: str | None, **options: Any) -> IdempotencyKey | None:
            key: IdempotencyKey | None = read_idempotency_key(header, **options)
            return key and replace(key, **fields)

        return read

    native.replace(requests, "read_idempotency_key", make)
