"""What is read of the two route tables, and what is told of the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from werkzeug.routing import Rule

from fastapi_app.cutover.inventory.endpoints import take_inventory
from shared.errors import SettingsError
from tests.fastapi_app.cutover.inventory.apps import _answer, legacy_app, named, native_app, sides


def test_routes_come_from_included_routers_and_mounts_in_order() -> None:
    inner, outer, app = APIRouter(prefix="/inner"), APIRouter(prefix="/outer"), FastAPI(openapi_url=None)

    @inner.get("/{item_id:int}")
    async def one(item_id: int) -> int:
        return item_id

    @outer.post("")
    async def create() -> None: ...

    outer.include_router(inner)
    app.include_router(outer, prefix="/api")
    app.mount("/{tenant}/mounted", Starlette(routes=[Route("/a", _answer)]))
    found = take_inventory(app, legacy_app(("GET", "/api/outer/inner/<int:item_id>"), ("POST", "/api/outer")))
    assert sides(found) == {
        "GET /<tenant>/mounted/a": "native",
        "GET /api/outer/inner/<int:item_id>": "both",
        "POST /api/outer": "both",
    }


def test_a_class_of_handlers_has_the_methods_that_it_defines() -> None:
    class Items(HTTPEndpoint):
        async def get(self, _request: Any) -> None: ...

        async def delete(self, _request: Any) -> None: ...

    assert sides(take_inventory(Starlette(routes=[Route("/items", Items)]), None)) == {
        "DELETE /items": "native",
        "GET /items": "native",
    }


class OddRoute(BaseRoute):
    path = "/odd"


async def _asgi_app(*_arguments: Any) -> None: ...


class _AnyMethod:
    async def __call__(self, *_arguments: Any) -> None: ...


@pytest.mark.parametrize(
    ("route", "finding"),
    [
        (
            Mount("/static", app=StaticFiles(directory=Path(__file__).parent)),
            "native's mount of a StaticFiles at /static is no endpoint: what it serves stays with legacy",
        ),
        (
            Mount("/", app=_asgi_app),
            "native's mount of a function at / is no endpoint: what it serves stays with legacy",
        ),
        (
            WebSocketRoute("/ws", _asgi_app),
            "native's WebSocket /ws is no endpoint: WebSockets go to native, and have no modes",
        ),
        (
            Host("api.test", app=Starlette()),
            "native's routes for the host api.test are no endpoints: the cutover goes by path alone",
        ),
        (
            Route("/any", _AnyMethod()),
            "native's /any names no methods, so it is no endpoint: list it with its methods in native_routes "
            "(--native-routes)",
        ),
        (OddRoute(), "native's OddRoute /odd is no endpoint: its kind of route isn't known"),
    ],
)
def test_what_native_has_beside_endpoints_is_told(route: BaseRoute, finding: str) -> None:
    found = take_inventory(Starlette(routes=[route]), None)
    assert (found.endpoints, found.findings) == ((), (finding,))


def test_a_websocket_in_an_included_router_is_told() -> None:
    router, app = APIRouter(), FastAPI(openapi_url=None)
    router.add_api_websocket_route("/ws", _asgi_app)
    app.include_router(router, prefix="/api")
    (finding,) = take_inventory(app, None).findings
    assert finding.startswith("native's WebSocket /api/ws is no endpoint")


def test_what_legacy_has_beside_endpoints_is_told() -> None:
    legacy = Flask(__name__, static_folder=None, subdomain_matching=True)
    legacy.add_url_rule("/a", "a", lambda: "", subdomain="api")
    legacy.url_map.add(Rule("/ws", endpoint="ws", websocket=True))
    legacy.url_map.add(Rule("/any", endpoint="any"))
    legacy.url_map.add(Rule("/old", endpoint="old", methods=["GET"], redirect_to="/new"))
    legacy.url_map.add(Rule("/built", endpoint="built", methods=["GET"], build_only=True))
    found = take_inventory(None, legacy)
    assert (found.endpoints, found.findings) == (
        (),
        (
            "legacy's /a of the subdomain api is no endpoint: the cutover goes by path alone",
            "legacy's WebSocket /ws is no endpoint: WebSockets go to native",
            "legacy's /any names no methods, so it is no endpoint: list it with its methods in legacy_routes "
            "(--legacy-routes)",
        ),
    )


def test_hosts_are_told() -> None:
    legacy = Flask(__name__, static_folder=None, host_matching=True)
    legacy.add_url_rule("/a", "a", lambda: "", host="api.test")
    assert take_inventory(None, legacy).findings == (
        "legacy's /a of the host api.test is no endpoint: the cutover goes by path alone",
    )


def wsgi_app(_environ: Any, _start_response: Any) -> list[bytes]:
    return []


def test_the_routes_of_other_apps_are_listed() -> None:
    found = take_inventory(
        _asgi_app,
        wsgi_app,
        native_routes=[("get", "/items/{n:int}"), ("GET", "/new")],
        legacy_routes=[("GET", "/items/<int:n>"), ("post", "/items")],
    )
    assert sides(found) == {"GET /items/<int:n>": "both", "GET /new": "native", "POST /items": "legacy"}
    assert named(found, "HEAD", "/items/5") == "GET /items/<int:n>"


def test_a_list_adds_to_what_is_read() -> None:
    found = take_inventory(
        native_app(("GET", "/a")),
        legacy_app(("GET", "/a")),
        native_routes=[("GET", "/b")],
        legacy_routes=[("GET", "/b")],
    )
    assert sides(found) == {"GET /a": "both", "GET /b": "both"}


def test_without_a_list_a_native_app_that_can_t_be_read_is_asked_nothing() -> None:
    found = take_inventory(_asgi_app, legacy_app(("GET", "/a")))
    assert sides(found) == {"GET /a": "legacy"}
    assert found.findings == (
        "native is a function, whose routes can't be read: list them in native_routes (--native-routes)",
    )


def test_without_a_list_a_legacy_app_that_can_t_be_read_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        take_inventory(native_app(("GET", "/a")), wsgi_app)
    assert str(caught.value) == (
        "legacy is a function, whose routes can't be read: list them in legacy_routes (--legacy-routes), or native "
        "would take all that it has a route for"
    )
    assert take_inventory(None, wsgi_app).endpoints == ()


@pytest.mark.parametrize("rule", ["items", "/items/<int:n", "/items/<nonsense:n>"])
def test_a_listed_rule_that_flask_can_t_have_is_refused(rule: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"legacy_routes: {rule!r} is no rule of Flask's: ")):
        take_inventory(None, wsgi_app, legacy_routes=[("GET", rule)])


@pytest.mark.parametrize("path", ["items", "/items/{n:nonsense}", "/items/{n}/{n}"])
def test_a_listed_path_that_starlette_can_t_have_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"native_routes: {path!r} is no path of Starlette's: ")):
        take_inventory(_asgi_app, None, native_routes=[("GET", path)])
