from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from fastapi_app.app import create_app
from fastapi_app.cutover.endpoints import Endpoint, pair
from shared.errors import SettingsError
from shared.ports import LivePorts
from shared.settings import CutoverSettings, Settings
from shared.store.memory import MemoryStore


def legacy_app(*rules: tuple[str, str]) -> Flask:
    app = Flask(__name__, static_folder=None)
    for number, (method, rule) in enumerate(rules):
        app.add_url_rule(rule, f"view-{number}", lambda **_arguments: "", methods=[method])
    return app


def native_app(*rules: tuple[str, str]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for method, rule in rules:
        app.router.routes.append(Route(rule, _answer, methods=[method]))
    return app


async def _answer(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


def test_endpoints_are_paired_by_method_and_rule_in_the_order_of_rules() -> None:
    legacy = legacy_app(("GET", "/items"), ("POST", "/items"), ("GET", "/b"))
    native = native_app(("GET", "/items"), ("PUT", "/items"), ("GET", "/a"))
    assert pair(native, legacy, {}) == (
        Endpoint(method="GET", rule="/a", legacy=False, native=True, mode="native"),
        Endpoint(method="GET", rule="/b", legacy=True, native=False, mode="legacy"),
        Endpoint(method="GET", rule="/items", legacy=True, native=True, mode="legacy"),
        Endpoint(method="POST", rule="/items", legacy=True, native=False, mode="legacy"),
        Endpoint(method="PUT", rule="/items", legacy=False, native=True, mode="native"),
    )


def test_an_endpoint_is_named_by_method_and_rule() -> None:
    (endpoint,) = pair(native_app(("GET", "/items")), legacy_app(), {})
    assert endpoint.name == "GET /items"


def test_head_and_options_are_no_endpoints() -> None:
    legacy, native = legacy_app(("GET", "/items"), ("OPTIONS", "/o")), native_app(("GET", "/items"), ("HEAD", "/h"))
    assert [endpoint.name for endpoint in pair(native, legacy, {})] == ["GET /items"]


@pytest.mark.parametrize(
    ("starlette", "flask"),
    [
        ("/items/{item_id}", "/items/<item_id>"),
        ("/items/{item_id:str}", "/items/<item_id>"),
        ("/items/{item_id:int}", "/items/<int:item_id>"),
        ("/items/{price:float}", "/items/<float:price>"),
        ("/files/{name:path}", "/files/<path:name>"),
        ("/items/{item_id:uuid}", "/items/<uuid:item_id>"),
        ("/{a}/to/{b:int}", "/<a>/to/<int:b>"),
    ],
)
def test_parameters_pair_across_the_two_notations(starlette: str, flask: str) -> None:
    (endpoint,) = pair(native_app(("GET", starlette)), legacy_app(("GET", flask)), {})
    assert (endpoint.rule, endpoint.legacy, endpoint.native) == (flask, True, True)


def test_rules_that_differ_in_slash_or_converter_do_not_pair() -> None:
    endpoints = pair(
        native_app(("GET", "/a/{x}"), ("GET", "/b")), legacy_app(("GET", "/a/<int:x>"), ("GET", "/b/")), {}
    )
    assert [endpoint.rule for endpoint in endpoints] == ["/a/<int:x>", "/a/<x>", "/b", "/b/"]


def test_a_mode_is_taken_from_the_settings_and_is_legacy_by_default() -> None:
    legacy, native = legacy_app(("GET", "/a"), ("GET", "/b")), native_app(("GET", "/a"), ("GET", "/b"))
    modes = {endpoint.name: endpoint.mode for endpoint in pair(native, legacy, {"GET /b": "native"})}
    assert modes == {"GET /a": "legacy", "GET /b": "native"}


@pytest.mark.parametrize(
    ("name", "mode", "sentence"),
    [
        ("GET /nowhere", "native", "cutover.modes: 'GET /nowhere' is not an endpoint; see `tradewindow routes`"),
        ("POST /both", "native", "cutover.modes: 'POST /both' is not an endpoint; see `tradewindow routes`"),
        ("HEAD /both", "native", "cutover.modes: 'HEAD /both' is not an endpoint; see `tradewindow routes`"),
        ("GET /both/", "native", "cutover.modes: 'GET /both/' is not an endpoint; see `tradewindow routes`"),
        ("/both", "native", "cutover.modes: '/both' is not an endpoint; see `tradewindow routes`"),
        ("GET /old", "native", "cutover.modes: 'GET /old' can't be 'native': it has no native side"),
        ("GET /new", "legacy", "cutover.modes: 'GET /new' can't be 'legacy': it has no legacy side"),
    ],
)
def test_a_mode_that_no_endpoint_can_have_is_refused(name: str, mode: Any, sentence: str) -> None:
    legacy, native = legacy_app(("GET", "/both"), ("GET", "/old")), native_app(("GET", "/both"), ("GET", "/new"))
    with pytest.raises(SettingsError) as caught:
        pair(native, legacy, {name: mode})
    assert str(caught.value) == sentence


def test_mounts_are_no_endpoints() -> None:
    native = native_app(("GET", "/a"))
    native.router.routes.append(Mount("/mounted", app=FastAPI()))
    assert [endpoint.name for endpoint in pair(native, legacy_app(), {})] == ["GET /a"]


def test_the_product_s_own_endpoints() -> None:
    app = create_app(
        Settings(cutover=CutoverSettings(modes={"GET /api/health": "native"})),
        live_ports=LivePorts(store=MemoryStore()),
    )
    shown = [
        (endpoint.name, endpoint.legacy, endpoint.native, endpoint.mode)
        for endpoint in app.cutover.endpoints
        if endpoint.rule.startswith("/api/")
    ]
    assert shown == [
        ("GET /api/health", True, True, "native"),
        ("GET /api/status", True, True, "legacy"),
        ("GET /api/trading-window", False, True, "native"),
        ("GET /api/trading-window/can-trade", True, True, "legacy"),
        ("GET /api/trading-window/config", True, True, "legacy"),
        ("PUT /api/trading-window/config", True, True, "legacy"),
        ("GET /api/trading-window/remaining-trades", False, True, "native"),
        ("GET /api/trading-window/trades", True, True, "legacy"),
        ("POST /api/trading-window/trades", True, True, "legacy"),
        ("GET /api/trading-window/within-window", True, True, "legacy"),
    ]


def test_a_wrong_mode_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"'GET /api/trading-window' can't be 'legacy': it has no legacy side"):
        create_app(
            Settings(cutover=CutoverSettings(modes={"GET /api/trading-window": "legacy"})),
            live_ports=LivePorts(store=MemoryStore()),
        )
