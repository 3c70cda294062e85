"""What is an endpoint."""

from fastapi_app.app import create_app
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.inventory.endpoints import take_inventory
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore
from tests.fastapi_app.cutover.inventory.apps import inventory, legacy_app, named, native_app, sides


def test_endpoints_are_paired_by_method_and_rule_in_the_order_of_rules() -> None:
    found = inventory(
        native=[("GET", "/items"), ("PUT", "/items"), ("GET", "/a")],
        legacy=[("GET", "/items"), ("POST", "/items"), ("GET", "/b")],
    )
    assert found.endpoints == (
        Endpoint(method="GET", rule="/a", legacy=False, native=True),
        Endpoint(method="GET", rule="/b", legacy=True, native=False),
        Endpoint(method="GET", rule="/items", legacy=True, native=True),
        Endpoint(method="POST", rule="/items", legacy=True, native=False),
        Endpoint(method="PUT", rule="/items", legacy=False, native=True),
    )
    assert found.findings == (
        "POST /items has no native twin: native has GET, PUT there",
        "GET /b has no native twin",
        "PUT /items has no legacy twin: legacy has GET, POST there",
        "GET /a has no legacy twin",
    )


def test_many_endpoints_without_a_twin_are_one_finding() -> None:
    found = inventory(native=[("GET", "/a")], legacy=[("GET", f"/{letter}") for letter in "abcdef"])
    assert found.findings == ("5 endpoints have no native twin: GET /b, GET /c, GET /d and 2 more",)


def test_an_endpoint_is_named_by_method_and_rule() -> None:
    assert Endpoint(method="GET", rule="/items/<int:n>", legacy=True, native=False).name == "GET /items/<int:n>"


def test_head_and_options_follow_and_are_no_endpoints() -> None:
    found = inventory(
        native=[("GET", "/items"), ("HEAD", "/items"), ("OPTIONS", "/items"), ("HEAD", "/led/{name}")],
        legacy=[("GET", "/items"), ("GET", "/led/<int:n>")],
    )
    assert sides(found) == {"GET /items": "both", "GET /led/<int:n>": "legacy"}
    assert named(found, "HEAD", "/items") == "GET /items"
    assert named(found, "HEAD", "/led/1") == "GET /led/<int:n>"
    assert named(found, "OPTIONS", "/items") is None
    assert named(found, "OPTIONS", "/led/1") is None


def test_a_rule_of_nothing_but_head_or_options_is_an_endpoint() -> None:
    found = inventory(native=[("HEAD", "/h"), ("OPTIONS", "/o/{n}")], legacy=[("HEAD", "/h"), ("OPTIONS", "/o/<n>")])
    assert sides(found) == {"HEAD /h": "both", "OPTIONS /o/<n>": "both"}
    assert [named(found, "HEAD", "/h"), named(found, "GET", "/h"), named(found, "OPTIONS", "/h")] == [
        "HEAD /h",
        None,
        None,
    ]
    assert named(found, "OPTIONS", "/o/1") == "OPTIONS /o/<n>"


def test_one_side_alone() -> None:
    assert sides(take_inventory(None, legacy_app(("GET", "/a")))) == {"GET /a": "legacy"}
    assert sides(take_inventory(native_app(("GET", "/a")), None)) == {"GET /a": "native"}
    assert take_inventory(None, legacy_app(("GET", "/a"))).findings == ()
    assert take_inventory(native_app(("GET", "/a")), None).findings == ()


def test_the_product_s_own_endpoints() -> None:
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))
    shown = {
        name: side
        for name, side in sides(app.cutover.inventory).items()
        if "/api/" in name and "/api/windows" not in name
    }
    assert shown == {
        "GET /api/backtest/strategies": "both",
        "POST /api/backtest/run": "both",
        "GET /api/balances": "both",
        "GET /api/bot-status": "both",
        "POST /api/bot/start": "both",
        "POST /api/bot/stop": "both",
        "GET /api/health": "both",
        "GET /api/market/ohlcv/<symbol>": "both",
        "GET /api/market/ticker/<symbol>": "both",
        "GET /api/orderbook/<symbol>": "both",
        "GET /api/orders": "both",
        "POST /api/orders": "both",
        "GET /api/orders/<order_id>": "both",
        "DELETE /api/orders/<order_id>": "both",
        "GET /api/positions": "both",
        "GET /api/status": "both",
        "GET /api/trading-window": "native",
        "GET /api/trading-window/can-trade": "both",
        "GET /api/trading-window/config": "both",
        "PUT /api/trading-window/config": "both",
        "GET /api/trading-window/remaining-trades": "native",
        "GET /api/trading-window/trades": "both",
        "POST /api/trading-window/trades": "both",
        "GET /api/trading-window/within-window": "both",
    }
