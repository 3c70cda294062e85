"""The OpenAPI document of endpoints that read and answer for themselves shows what FastAPI would have shown."""

import asyncio
import json
import re
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from fastapi_app.app import create_app
from shared.market.service import MarketService
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore
from tests.fastapi_app.openapi import assert_references_lead_somewhere
from tests.parity.arms import ask_asgi
from tests.parity.case import get
from tests.parity.market import FixedMarket

MADE_UP = "The prices here are synthetic (made up)."
DECIMAL_PATTERN = r"^(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


@pytest.fixture(scope="module")
def document() -> Any:
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))
    answer, side = asyncio.run(ask_asgi(app, get("/openapi.json")))
    assert (answer.status, side) == (200, "native")
    return json.loads(answer.body)


@pytest.mark.parametrize(("source", "is_said"), [("synthetic (made up, seed 1)", True), ("fixed", False)])
def test_that_prices_are_made_up_is_said_where_they_are(source: str, is_said: bool) -> None:
    ports = LivePorts(store=MemoryStore(), services={"market": MarketService(FixedMarket(source))})
    answer, _ = asyncio.run(ask_asgi(create_app(Settings(), live_ports=ports), get("/openapi.json")))
    assert (MADE_UP in json.loads(answer.body)["info"]["description"]) is is_said


def operation(document: Any, name: str) -> Any:
    method, _, rule = name.partition(" ")
    return document["paths"][rule][method.lower()]


def answer_models(document: Any, name: str) -> dict[str, set[str]]:
    """The models that each status of an operation may answer with."""
    return {
        status: _models(response["content"]["application/json"]["schema"])
        for status, response in operation(document, name)["responses"].items()
    }


def _models(schema: Any) -> set[str]:
    return {each["$ref"].removeprefix("#/components/schemas/") for each in schema.get("anyOf", [schema])}


def test_the_document_is_valid(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPI.model_validate(document)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    ids = [one["operationId"] for one in operations]
    assert len(ids) == len(set(ids))
    assert all(one["summary"] and one["description"] and one["tags"] for one in operations)


def test_every_reference_leads_somewhere(document: Any) -> None:
    assert_references_lead_somewhere(document)


def test_every_endpoint_is_there_with_its_answers(document: Any) -> None:
    shown = {
        f"{method.upper()} {rule}": answer_models(document, f"{method} {rule}")
        for rule, methods in document["paths"].items()
        for method in methods
    }
    unavailable = {"503": {"ErrorAnswer"}}
    unknown = {"404": {"ErrorAnswer"}}
    unreadable = {status: {"ErrorAnswer"} for status in ("400", "413", "415")}
    refused = {"403": {"RefusedAnswer"}, "409": {"RefusedAnswer"}, "422": {"ErrorAnswer"}}
    assert shown == {
        "GET /api/health": {"200": {"Health"}},
        "GET /api/status": {"200": {"Status"}, **unavailable},
        "GET /api/market/ticker/{symbol}": {"200": {"TickerAnswer"}, **unknown, **unavailable},
        "GET /api/market/ohlcv/{symbol}": {
            "200": {"CandlesAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "GET /api/orderbook/{symbol}": {"200": {"OrderBookAnswer"}, "400": {"ErrorAnswer"}, **unknown, **unavailable},
        "GET /api/backtest/strategies": {"200": {"StrategiesAnswer"}},
        "POST /api/backtest/run": {"200": {"BacktestAnswer"}, **unreadable, **unknown, **unavailable},
        "GET /api/orders": {"200": {"OrdersAnswer"}, "400": {"ErrorAnswer"}, **unavailable},
        "POST /api/orders": {
            "201": {"OrderAnswer"},
            **unknown,
            **unreadable,
            "403": {"OutsideHoursAnswer", "ErrorAnswer"},
            "409": {"DailyLimitAnswer", "InsufficientBalanceAnswer", "ErrorAnswer"},
            "422": {"ErrorAnswer"},
            **unavailable,
        },
        "GET /api/orders/{order_id}": {"200": {"OrderAnswer"}, **unknown, **unavailable},
        "DELETE /api/orders/{order_id}": {"200": {"OrderAnswer"}, **unknown, "409": {"ErrorAnswer"}, **unavailable},
        "POST /api/bot/start": {"200": {"BotStarted"}, "400": {"ErrorAnswer"}, **unavailable},
        "POST /api/bot/stop": {"200": {"BotStopped"}, "400": {"ErrorAnswer"}, **unavailable},
        "GET /api/bot-status": {"200": {"BotStatus"}, **unavailable},
        "GET /api/balances": {"200": {"BalancesAnswer"}, **unavailable},
        "GET /api/positions": {"200": {"PositionsAnswer"}, **unavailable},
        "GET /api/trading-window": {"200": {"WindowStateAnswer"}, "400": {"ErrorAnswer"}, **unavailable},
        "GET /api/trading-window/can-trade": {"200": {"CanTrade"}, **unavailable},
        "GET /api/trading-window/config": {"200": {"ConfigAnswer"}, **unavailable},
        "PUT /api/trading-window/config": {
            "200": {"ConfigAnswer"},
            "400": {"ErrorAnswer"},
            "413": {"ErrorAnswer"},
            "415": {"ErrorAnswer"},
            **unavailable,
        },
        "GET /api/trading-window/remaining-trades": {"200": {"RemainingTrades"}, "400": {"ErrorAnswer"}, **unavailable},
        "GET /api/trading-window/trades": {"200": {"TradeList"}, "400": {"ErrorAnswer"}, **unavailable},
        "POST /api/trading-window/trades": {
            "201": {"TradeAnswer"},
            "400": {"ErrorAnswer"},
            "403": {"OutsideHoursAnswer", "ErrorAnswer"},
            "409": {"DailyLimitAnswer"},
            "413": {"ErrorAnswer"},
            "415": {"ErrorAnswer"},
            "422": {"ErrorAnswer"},
            **unavailable,
        },
        "GET /api/trading-window/within-window": {"200": {"WithinWindow"}, **unavailable},
        "GET /api/windows": {"200": {"WindowsAnswer"}, "400": {"ErrorAnswer"}, **unavailable},
        "POST /api/windows": {"201": {"VersionedConfig"}, **unreadable, "409": {"ErrorAnswer"}, **unavailable},
        "GET /api/windows/{window_id}": {"200": {"WindowAnswer"}, "400": {"ErrorAnswer"}, **unknown, **unavailable},
        "GET /api/windows/{window_id}/config": {
            "200": {"VersionedConfig"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "PUT /api/windows/{window_id}/config": {
            "200": {"VersionedConfig"},
            **unknown,
            **unreadable,
            "409": {"ErrorAnswer"},
            **unavailable,
        },
        "GET /api/windows/{window_id}/decision": {
            "200": {"DecisionAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "GET /api/windows/{window_id}/schedule": {
            "200": {"ScheduleAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "POST /api/windows/{window_id}/trades": {
            "201": {"TradeAnswer"},
            **unknown,
            **unreadable,
            **refused,
            **unavailable,
        },
        "GET /api/windows/{window_id}/trades": {"200": {"TradeList"}, "400": {"ErrorAnswer"}, **unknown, **unavailable},
        "GET /api/windows/{window_id}/ledger": {
            "200": {"LedgerAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "POST /api/windows/{window_id}/permits": {
            "201": {"PermitStepAnswer"},
            **unknown,
            **unreadable,
            **refused,
            **unavailable,
        },
        "GET /api/windows/{window_id}/permits": {
            "200": {"PermitsAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        "GET /api/windows/{window_id}/permits/{permit_id}": {
            "200": {"PermitModel"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        **{
            f"POST /api/windows/{{window_id}}/permits/{{permit_id}}/{step}": {
                "200": {"PermitStepAnswer"},
                **unknown,
                **unreadable,
                "409": {"ErrorAnswer"},
                **more,
                **unavailable,
            }
            for step, more in (
                ("sent", {"403": {"RefusedAnswer"}}),
                ("doubt", {}),
                ("release", {"422": {"ErrorAnswer"}}),
            )
        },
        "POST /api/windows/{window_id}/permits/{permit_id}/confirm": {
            "200": {"ConfirmedAnswer"},
            **unknown,
            **unreadable,
            "403": {"RefusedAnswer"},
            "409": {"ErrorAnswer"},
            "422": {"ErrorAnswer"},
            **unavailable,
        },
        "GET /api/windows/{window_id}/halts": {
            "200": {"HaltsAnswer"},
            "400": {"ErrorAnswer"},
            **unknown,
            **unavailable,
        },
        **{
            f"POST /api/windows/{{window_id}}/{step}": {
                "200": {model},
                **unknown,
                **unreadable,
                **unavailable,
            }
            for step, model in (("halts", "HaltSetAnswer"), ("resume", "HaltsAnswer"))
        },
    }


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("Health", {"status"}),
        ("Status", {"status", "server_time", "bot", "trading_window"}),
        ("BotStatus", {"status", "started_at", "symbol", "strategies", "last_cycle"}),
        ("WindowStatus", {"within_window", "can_trade"}),
        ("WithinWindow", {"within_window"}),
        ("CanTrade", {"can_trade"}),
        ("RemainingTrades", {"remaining_trades"}),
        ("ConfigAnswer", {"start_hour", "end_hour", "max_trades_per_day", "timezone"}),
        ("TradeList", {"trades", "count"}),
        ("TradeAnswer", {"trade", "trades_today", "remaining_trades"}),
        (
            "WindowStateAnswer",
            {
                "within_window",
                "can_trade",
                "trades_today",
                "max_trades_per_day",
                "remaining_trades",
                "trading_hours",
                "last_trade_date",
            },
        ),
        ("TickerAnswer", {"symbol", "bid", "ask", "last", "volume_24h", "timestamp"}),
        ("CandlesAnswer", {"symbol", "timeframe", "candles"}),
        ("CandleAnswer", {"timestamp", "open", "high", "low", "close", "volume"}),
        ("OrderBookAnswer", {"symbol", "bids", "asks"}),
        ("OrdersAnswer", {"orders", "count"}),
        (
            "OrderAnswer",
            {
                *("id", "client_order_id", "symbol", "side", "type", "quantity", "price", "reduces", "status"),
                *("filled_quantity", "average_price", "fee", "realized_pnl", "created_at", "updated_at"),
            },
        ),
        ("BalancesAnswer", {"balances"}),
        ("BalanceAnswer", {"currency", "available", "total"}),
        ("PositionsAnswer", {"positions"}),
        ("PositionAnswer", {"symbol", "side", "quantity", "entry_price", "unrealized_pnl"}),
        ("InsufficientBalanceAnswer", {"error", "currency", "needed", "available"}),
        ("ErrorAnswer", {"error"}),
        ("OutsideHoursAnswer", {"error", "trading_hours"}),
        ("DailyLimitAnswer", {"error", "trades_today", "max_trades_per_day"}),
    ],
)
def test_a_model_shows_its_fields_and_all_of_them_come(document: Any, model: str, fields: set[str]) -> None:
    schema = document["components"]["schemas"][model]
    assert schema["properties"].keys() == fields
    assert set(schema["required"]) == fields


def test_a_trade_shows_its_fields_of_which_one_comes_only_where_it_reduces(document: Any) -> None:
    schema = document["components"]["schemas"]["RecordedTrade"]
    always = ["id", "symbol", "side", "quantity", "price", "strategy", "executed_at", "trade_day"]
    assert list(schema["properties"]) == [*always, "reduces"]
    assert schema["required"] == always


def test_the_trade_s_body_shows_each_field_s_rule(document: Any) -> None:
    body = operation(document, "POST /api/trading-window/trades")["requestBody"]
    assert body["required"] is True
    assert body["content"].keys() == {"application/json"}
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["symbol", "side", "quantity", "price"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert list(properties) == ["symbol", "side", "quantity", "price", "strategy"]
    assert properties["symbol"]["pattern"] == "^[A-Z0-9]+(-[A-Z0-9]+)*$"
    assert properties["symbol"]["maxLength"] == 32
    assert properties["side"]["enum"] == ["buy", "sell"]
    for name in ("quantity", "price"):
        assert properties[name]["anyOf"] == [
            {"type": "string", "pattern": DECIMAL_PATTERN},
            {"type": "number", "exclusiveMinimum": 0},
        ]
    assert {"type": "null"} in properties["strategy"]["anyOf"]
    assert all(each["description"] for each in properties.values())


def test_the_order_s_body_shows_each_field_s_rule(document: Any) -> None:
    schema = operation(document, "POST /api/orders")["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["symbol", "side", "type", "quantity"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert list(properties) == ["symbol", "side", "type", "quantity", "price"]
    assert properties["type"]["enum"] == ["market", "limit"]
    assert properties["price"]["description"].endswith("which a limit order needs and a market order can't have")
    assert {"type": "null"} in properties["price"]["anyOf"]
    assert all(each["description"] for each in properties.values())
    (key,) = operation(document, "POST /api/orders")["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", False)


def test_the_orders_query_shows_each_parameter_s_rule(document: Any) -> None:
    parameters = {one["name"]: one for one in operation(document, "GET /api/orders")["parameters"]}
    assert list(parameters) == ["status", "symbol", "limit"]
    assert {(one["in"], one["required"]) for one in parameters.values()} == {("query", False)}
    assert parameters["status"]["description"] == '"open", "filled", "cancelled" or "rejected"'
    limit = parameters["limit"]["schema"]
    assert (limit["type"], limit["minimum"], limit["maximum"], limit["default"]) == ("integer", 1, 500, 50)


def test_the_config_s_body_shows_each_key_and_its_bounds(document: Any) -> None:
    body = operation(document, "PUT /api/trading-window/config")["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert "required" not in schema
    assert schema["additionalProperties"] is False
    bounds = {name: (each["type"], each["minimum"], each["maximum"]) for name, each in schema["properties"].items()}
    assert bounds == {
        "start_hour": ("integer", 0, 23),
        "end_hour": ("integer", 0, 24),
        "max_trades_per_day": ("integer", 0, 1_000_000),
    }


def test_the_idempotency_key_is_a_header_of_its_own(document: Any) -> None:
    (parameter,) = operation(document, "POST /api/trading-window/trades")["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("Idempotency-Key", "header", False)
    assert parameter["schema"]["type"] == "string"
    assert "1 to 255 visible ASCII characters" in parameter["description"]


def test_the_list_s_query_shows_each_parameter_s_rule(document: Any) -> None:
    parameters = {one["name"]: one for one in operation(document, "GET /api/trading-window/trades")["parameters"]}
    assert list(parameters) == ["date", "symbol", "limit"]
    assert {(one["in"], one["required"]) for one in parameters.values()} == {("query", False)}
    assert parameters["date"]["description"] == "a date, written YYYY-MM-DD"
    assert parameters["symbol"]["description"].startswith("a symbol such as BTC-USD")
    limit = parameters["limit"]["schema"]
    assert (limit["type"], limit["minimum"], limit["maximum"], limit["default"]) == ("integer", 1, 500, 50)


@pytest.mark.parametrize(
    ("endpoint", "limits"),
    [
        ("GET /api/market/ticker/{symbol}", None),
        ("GET /api/market/ohlcv/{symbol}", (1, 1_000, 100)),
        ("GET /api/orderbook/{symbol}", (1, 100, 20)),
    ],
)
def test_the_market_s_parameters_are_described(
    document: Any, endpoint: str, limits: tuple[int, int, int] | None
) -> None:
    symbol, *query = operation(document, endpoint)["parameters"]
    assert symbol == {
        "name": "symbol",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "a symbol that the market quotes, such as BTC-USD",
        "example": "BTC-USD",
    }
    assert {(one["in"], one["required"]) for one in query} <= {("query", False)}
    schemas = {one["name"]: one["schema"] for one in query}
    if "ohlcv" in endpoint:
        timeframe = schemas.pop("timeframe")
        assert (timeframe["enum"], timeframe["default"]) == (["1m", "5m", "15m", "1h", "1d"], "1m")
    shown = {name: (each["minimum"], each["maximum"], each["default"]) for name, each in schemas.items()}
    assert shown == ({} if limits is None else {"limit": limits})


def test_no_other_endpoint_takes_parameters_or_a_body(document: Any) -> None:
    with_parameters = {
        f"{method.upper()} {rule}"
        for rule, methods in document["paths"].items()
        for method, one in methods.items()
        if one.get("parameters") or one.get("requestBody")
    }
    assert with_parameters == {
        "GET /api/orders",
        "POST /api/backtest/run",
        "POST /api/orders",
        "GET /api/trading-window/trades",
        "POST /api/trading-window/trades",
        "PUT /api/trading-window/config",
        "GET /api/windows",
        "POST /api/windows",
        *(
            f"{method.upper()} {rule}"
            for rule, methods in document["paths"].items()
            if "{" in rule
            for method in methods
        ),
    }


def test_every_parameter_of_a_path_is_told(document: Any) -> None:
    for rule, methods in document["paths"].items():
        for one in methods.values():
            told = [each["name"] for each in one.get("parameters", ()) if each["in"] == "path"]
            assert told == re.findall(r"{(\w+)}", rule)


def test_a_backtest_shows_what_it_takes_and_gives(document: Any) -> None:
    body = operation(document, "POST /api/backtest/run")["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["strategy", "symbol", "timeframe"]
    assert list(body["properties"]) == ["strategy", "symbol", "timeframe", "parameters", "initial_capital"]


def test_of_hours_and_intervals_it_says_which_are_in_force(document: Any) -> None:
    operation_of_put = operation(document, "PUT /api/windows/{window_id}/config")
    taken = operation_of_put["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for hour in ("start_hour", "end_hour"):
        assert taken[hour]["description"].endswith("which is not in force while there are intervals")
    assert taken["intervals"]["description"].endswith("they take the place of start_hour and end_hour")
    for model in ("VersionedConfig", "WindowAnswer"):
        shown = document["components"]["schemas"][model]["properties"]["config"]
        assert "start_hour and end_hour are not in force while there are intervals" in shown["description"]


@pytest.mark.parametrize("step", ["start", "stop"])
def test_the_bot_s_start_and_stop_take_no_body_and_say_so(document: Any, step: str) -> None:
    told = operation(document, f"POST /api/bot/{step}")
    assert "requestBody" not in told
    assert "It takes no body and no parameters" in told["description"]
