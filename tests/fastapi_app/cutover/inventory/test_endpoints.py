import asyncio
import re
import timeit
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from flask import Flask, has_request_context
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Rule, ValidationError

from fastapi_app.app import create_app
from fastapi_app.cutover.inventory.endpoints import Endpoint, Inventory, take_inventory
from shared.errors import SettingsError
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore


def legacy_app(*rules: tuple[str, str], **options: Any) -> Flask:
    app = Flask(__name__, static_folder=None)
    for number, (method, rule) in enumerate(rules):
        app.add_url_rule(rule, f"view-{number}", lambda **_arguments: "", methods=[method], **options)
    return app


def native_app(*rules: tuple[str, str]) -> Starlette:
    return Starlette(routes=[Route(rule, _answer, methods=[method]) for method, rule in rules])


async def _answer(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


def inventory(native: Iterable[tuple[str, str]] = (), legacy: Iterable[tuple[str, str]] = ()) -> Inventory:
    return take_inventory(native_app(*native), legacy_app(*legacy))


def sides(found: Inventory) -> dict[str, str]:
    """Who has which endpoint."""
    return {
        each.name: "both" if each.legacy and each.native else "legacy" if each.legacy else "native"
        for each in found.endpoints
    }


def named(found: Inventory, method: str, path: str) -> str | None:
    endpoint = found.match(method, path)
    return None if endpoint is None else endpoint.name


# What is an endpoint


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


# Which rules are twins


@pytest.mark.parametrize(
    ("starlette", "flask"),
    [
        ("/items/{item_id}", "/items/<item_id>"),
        ("/items/{item_id:str}", "/items/<item_id>"),
        ("/items/{item_id}", "/items/<string:item_id>"),
        ("/items/{item_id:int}", "/items/<int:item_id>"),
        ("/items/{price:float}", "/items/<float:price>"),
        ("/files/{name:path}", "/files/<path:name>"),
        ("/items/{item_id:uuid}", "/items/<uuid:item_id>"),
        ("/{a}/to/{b:int}", "/<a>/to/<int:b>"),
        ("/v{major:int}.{minor:int}/x", "/v<int:major>.<int:minor>/x"),
        ("/a/{x}/", "/a/<x>/"),
    ],
)
def test_rules_pair_across_the_two_notations(starlette: str, flask: str) -> None:
    found = inventory(native=[("GET", starlette)], legacy=[("GET", flask)])
    assert sides(found) == {f"GET {flask.replace('string:', '')}": "both"}


def test_names_of_parameters_may_differ_and_are_noted() -> None:
    found = inventory(native=[("GET", "/items/{item_id:int}")], legacy=[("GET", "/items/<int:id>")])
    (endpoint,) = found.endpoints
    assert (endpoint.name, endpoint.native) == ("GET /items/<int:id>", True)
    assert endpoint.notes == ("native calls item_id what legacy calls id",)
    assert found.findings == ()


@pytest.mark.parametrize(
    ("starlette", "flask", "taken"),
    [
        ("/items/{n}", "/items/<int:n>", "takes more for n than legacy's <int:n>"),
        ("/items/{n}", "/items/<string(length=2):n>", "takes more for n than legacy's <string(length=2):n>"),
        ("/items/{n}", "/items/<any(a, b):n>", "takes more for n than legacy's <any(a, b):n>"),
        ("/items/{n:int}", "/items/<int(min=5):n>", "takes more for n than legacy's <int(min=5):n>"),
        ("/items/{n:float}", "/items/<float:n>", "takes more for n (whole numbers) than legacy's <float:n>"),
        ("/items/{n:uuid}", "/items/<uuid:n>", "takes more for n (no dashes) than legacy's <uuid:n>"),
    ],
)
def test_a_twin_that_takes_more_is_told(starlette: str, flask: str, taken: str) -> None:
    found = inventory(native=[("GET", starlette)], legacy=[("GET", flask)])
    (endpoint,) = found.endpoints
    assert (endpoint.rule, endpoint.legacy, endpoint.native) == (flask, True, True)
    assert endpoint.notes == (f"native's {starlette} {taken}; it is sent only what legacy's rule takes",)
    assert found.findings == (f"GET {flask}: {endpoint.notes[0]}",)


def test_of_a_twin_that_takes_more_only_what_legacy_takes_is_the_endpoint_s() -> None:
    found = inventory(native=[("GET", "/items/{n}")], legacy=[("GET", "/items/<int:n>")])
    assert named(found, "GET", "/items/5") == "GET /items/<int:n>"
    assert [named(found, "GET", f"/items/{text}") for text in ("x", "-5", "+5", "5.0", "")] == [None] * 5


@pytest.mark.parametrize(
    ("starlette", "flask"),
    [
        ("/items/{n:int}", "/items/<n>"),
        ("/items/{n:int}", "/items/<int(signed=True):n>"),
        ("/items/{n:int}", "/items/<float:n>"),
        ("/items/{n}", "/items/<path:n>"),
    ],
)
def test_a_rule_that_takes_less_is_no_twin_and_takes_nothing_from_legacy(starlette: str, flask: str) -> None:
    found = inventory(native=[("GET", starlette)], legacy=[("GET", flask)])
    assert sorted(sides(found).values()) == ["legacy", "native"]
    assert (
        f"GET {flask} and native's {starlette} don't pair: their converters differ, and native's doesn't take all that "
        "legacy's takes"
    ) in found.findings
    path = "/items/1.5" if "float" in flask else "/items/1"
    assert named(found, "GET", path) == f"GET {flask}"


def test_two_that_could_be_twins_of_one_are_twins_of_none() -> None:
    found = inventory(native=[("GET", "/r/{x}")], legacy=[("GET", "/r/<int:x>"), ("GET", "/r/<uuid:x>")])
    assert sides(found) == {"GET /r/<int:x>": "legacy", "GET /r/<uuid:x>": "legacy", "GET /r/<x>": "native"}
    assert found.findings == (
        "native's GET /r/{x} could be the twin of /r/<int:x> and of /r/<uuid:x>, so it is that of none",
    )
    assert [named(found, "GET", path) for path in ("/r/1", "/r/x")] == ["GET /r/<int:x>", "GET /r/<x>"]


def test_one_with_two_possible_twins_has_none() -> None:
    found = inventory(native=[("GET", "/{x}/{y:int}"), ("GET", "/{x:int}/{y}")], legacy=[("GET", "/<int:x>/<int:y>")])
    assert set(sides(found).values()) == {"legacy", "native"}
    assert (
        "GET /<int:x>/<int:y> could pair with native's /{x}/{y:int} and /{x:int}/{y}, so it pairs with none"
        in found.findings
    )
    assert named(found, "GET", "/1/2") == "GET /<int:x>/<int:y>"


def test_an_exact_twin_wins_over_one_that_takes_more() -> None:
    found = inventory(native=[("GET", "/i/{x}")], legacy=[("GET", "/i/<int:x>"), ("GET", "/i/<x>")])
    assert sides(found) == {"GET /i/<int:x>": "legacy", "GET /i/<x>": "both"}
    assert found.findings == ("GET /i/<int:x> has no native twin",)


class Day(BaseConverter):
    regex = r"\d{4}-\d\d-\d\d"

    def to_python(self, value: str) -> str:
        if value.startswith("0000"):
            raise ValidationError
        if not has_request_context():
            raise RuntimeError("no request")
        return value


class StarletteDay(Convertor[str]):
    regex = r"\d{4}-\d\d-\d\d"


@pytest.fixture
def _starlette_day() -> Iterable[None]:
    register_url_convertor("day", StarletteDay())
    yield
    del CONVERTOR_TYPES["day"]


@pytest.mark.usefixtures("_starlette_day")
def test_converters_of_one_name_pair_and_are_told() -> None:
    legacy = Flask(__name__, static_folder=None)
    legacy.url_map.converters["day"] = type("OtherDay", (BaseConverter,), {"regex": r"\d+-\d+-\d+"})
    legacy.add_url_rule("/days/<day:day>", view_func=lambda day: day)
    found = take_inventory(native_app(("GET", "/days/{day:day}"), ("GET", "/notes/{day:day}")), legacy)
    assert sides(found) == {"GET /days/<day:day>": "both", "GET /notes/<day:day>": "native"}
    assert found.findings == (
        "GET /days/<day:day>: each side has a converter 'day' of its own for day, and what they take may differ",
        "GET /notes/<day:day> has no legacy twin",
    )
    assert named(found, "GET", "/days/1-1-1") == "GET /days/<day:day>"
    # Where native is alone, its own converter counts.
    assert named(found, "GET", "/notes/1-1-1") is None
    assert named(found, "GET", "/notes/2026-01-31") == "GET /notes/<day:day>"


def test_where_a_converter_raises_legacy_answers(caplog: pytest.LogCaptureFixture) -> None:
    legacy = Flask(__name__, static_folder=None)
    legacy.url_map.converters["day"] = Day
    legacy.add_url_rule("/days/<day:day>", view_func=lambda day: day)
    found = take_inventory(native_app(("GET", "/days/{day}")), legacy)
    assert found.findings[-1] == (
        "legacy's converter 'day' (Day) converts by code of its own; the cutover runs it, too, to tell which endpoint "
        "a request is for, and where it raises, legacy answers"
    )
    assert named(found, "GET", "/days/0000-01-01") is None
    assert caplog.records == []
    assert named(found, "GET", "/days/2026-01-31") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with legacy.test_request_context():
        assert named(found, "GET", "/days/2026-01-31") == "GET /days/<day:day>"


# Slashes


def test_a_slash_at_the_end_makes_another_rule_and_legacy_s_redirect_stays() -> None:
    found = inventory(native=[("GET", "/x"), ("GET", "/y/")], legacy=[("GET", "/x/"), ("GET", "/y")])
    assert sides(found) == {"GET /x": "native", "GET /x/": "legacy", "GET /y": "legacy", "GET /y/": "native"}
    assert found.findings == (
        "GET /x: native's is never asked, for legacy redirects /x",
        "GET /x/ and native's /x don't pair: they differ in the slash at the end",
        "GET /y and native's /y/ don't pair: they differ in the slash at the end",
    )
    assert [named(found, "GET", path) for path in ("/x", "/x/", "/y", "/y/")] == [None, "GET /x/", "GET /y", "GET /y/"]


def test_a_legacy_rule_that_takes_both_slashes() -> None:
    legacy = legacy_app(("GET", "/x"), ("GET", "/y/<int:n>"), ("GET", "/z/"), strict_slashes=False)
    native = native_app(("GET", "/x"), ("GET", "/y/{n:int}"), ("GET", "/y/{n:int}/"), ("GET", "/z"))
    found = take_inventory(native, legacy)
    assert sides(found) == {"GET /x": "both", "GET /y/<int:n>": "both", "GET /z": "native", "GET /z/": "legacy"}
    assert found.findings == (
        "GET /z: native's is never asked, for legacy answers /z by /z/",
        "GET /x: legacy answers /x/ by the same rule, native has no route for it",
        "GET /z/ and native's /z don't pair: they differ in the slash at the end",
    )
    paths = ("/x", "/x/", "/y/1", "/y/1/", "/z", "/z/")
    assert [named(found, "GET", path) for path in paths] == [
        *("GET /x", "GET /x", "GET /y/<int:n>", "GET /y/<int:n>", "GET /z/", "GET /z/")
    ]


# Who is asked where rules overlap


def test_native_routes_in_an_order_that_contradicts_specificity() -> None:
    native = [
        ("GET", "/items/{name}"),
        ("GET", "/items/special"),
        ("POST", "/items/special"),
        ("GET", "/items/{n:int}"),
    ]
    found = inventory(
        native=native,
        legacy=[
            ("GET", "/items/<name>"),
            ("GET", "/items/special"),
            ("GET", "/items/<int:n>"),
            ("POST", "/items/special"),
        ],
    )
    assert found.findings == (
        "GET /items/special: native declares /items/{name} before /items/special and answers /items/special by it, "
        "where Flask's routing takes the more specific: declare /items/special first",
        "GET /items/<int:n>: native declares /items/{name} before /items/{n:int} and answers /items/1 by it, where "
        "Flask's routing takes the more specific: declare /items/{n:int} first",
    )
    notes = {endpoint.name: len(endpoint.notes) for endpoint in found.endpoints}
    assert notes == {"GET /items/<int:n>": 1, "GET /items/<name>": 0, "GET /items/special": 1, "POST /items/special": 0}


def test_native_routes_in_the_order_of_specificity_are_fine() -> None:
    rules = [("GET", "/items/special"), ("GET", "/items/<int:n>"), ("GET", "/items/<name>"), ("GET", "/<path:rest>")]
    native = [("GET", "/items/special"), ("GET", "/items/{n:int}"), ("GET", "/items/{name}"), ("GET", "/{rest:path}")]
    assert not any("declares" in finding for finding in inventory(native=native, legacy=rules).findings)


def test_a_mount_may_take_what_is_declared_after_it() -> None:
    native = Starlette(routes=[Mount("/a", app=StaticFiles(directory=Path(__file__).parent)), Route("/a/b", _answer)])
    found = take_inventory(native, legacy_app(("GET", "/a/b")))
    assert found.findings[0].startswith("GET /a/b: native declares /a/{path:path} before /a/b and answers /a/b by it")


def test_what_legacy_answers_by_a_less_specific_rule_is_on_both_sides() -> None:
    found = inventory(
        native=[("GET", "/users/me"), ("GET", "/files/v{n:int}"), ("POST", "/users/me")],
        legacy=[("GET", "/users/<name>"), ("GET", "/files/<f>")],
    )
    assert found.findings == (
        "GET /users/me: legacy answers /users/me, too, by /users/<name>",
        "GET /files/v<int:n>: legacy answers /files/v1, too, by /files/<f>",
        "GET /users/<name> has no native twin",
        "GET /files/<f> has no native twin",
        "POST /users/me has no legacy twin",
    )
    assert sides(found) == {
        "GET /files/<f>": "legacy",
        "GET /files/v<int:n>": "both",
        "GET /users/<name>": "legacy",
        "GET /users/me": "both",
        "POST /users/me": "native",
    }
    (me,) = (endpoint for endpoint in found.endpoints if endpoint.name == "GET /users/me")
    assert me.notes == ("legacy answers /users/me, too, by /users/<name>",)
    assert named(found, "GET", "/users/me") == "GET /users/me"
    assert named(found, "GET", "/users/you") == "GET /users/<name>"
    assert named(found, "GET", "/files/v1") == "GET /files/v<int:n>"
    assert named(found, "GET", "/files/vx") == "GET /files/<f>"


def test_fastapi_s_documents_are_legacy_s_where_it_takes_every_path() -> None:
    found = take_inventory(FastAPI(), legacy_app(("GET", "/<path:rest>")))
    assert sides(found) == {
        "GET /<path:rest>": "legacy",
        "GET /docs": "both",
        "GET /docs/oauth2-redirect": "both",
        "GET /openapi.json": "both",
        "GET /redoc": "both",
    }


def test_a_legacy_rule_is_found_behind_several_of_native_s() -> None:
    native = [("GET", "/a/sample"), ("GET", "/a/{x}"), ("GET", "/b/{x:path}"), ("GET", "/c/{x}")]
    legacy = [("GET", "/a/<path:rest>"), ("GET", "/<x>/<y>/<z>"), ("GET", "/<x>/<int:y>")]
    shown = sides(inventory(native, legacy))
    assert {shown[f"GET {rule}"] for rule in ("/a/sample", "/a/<x>", "/b/<path:x>", "/c/<x>")} == {"both"}


def test_what_legacy_s_more_specific_rules_leave_is_native_s_alone() -> None:
    found = inventory(native=[("GET", "/{x}")], legacy=[("GET", "/sample"), ("GET", "/1")])
    assert sides(found) == {"GET /1": "legacy", "GET /<x>": "native", "GET /sample": "legacy"}


def test_legacy_rules_at_the_prefix_of_the_cutover_s_api_are_told() -> None:
    legacy = legacy_app(("GET", "/cutover/x"), ("POST", "/cutover"), ("GET", "/<path:rest>"), ("PUT", "/cutovers"))
    found = take_inventory(None, legacy, admin_prefix="/cutover")
    assert found.findings == (
        "the cutover's own API is at /cutover, so legacy isn't asked there for /cutover/x, /cutover, /<path:rest>",
    )
    assert take_inventory(None, legacy).findings == ()
    assert take_inventory(None, legacy_app(("GET", "/a/<x>")), admin_prefix="/cutover").findings == ()


def test_a_slash_that_native_alone_insists_on_hides_no_legacy_rule() -> None:
    found = inventory(native=[("GET", "/a/{x}/")], legacy=[("GET", "/a/<path:rest>")])
    assert named(found, "GET", "/a/1") == "GET /a/<path:rest>"


# What is read


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
            "native's /any names no methods, so it is no endpoint: list it in native_routes with its methods",
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
            "legacy's /any names no methods, so it is no endpoint: list it in legacy_routes with its methods",
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
    assert found.findings == ("native is a function, whose routes can't be read: list them in native_routes",)


def test_without_a_list_a_legacy_app_that_can_t_be_read_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        take_inventory(native_app(("GET", "/a")), wsgi_app)
    assert str(caught.value) == (
        "legacy is a function, whose routes can't be read: list them in legacy_routes, or native would take all that "
        "it has a route for"
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


# Matching


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("GET", "/items", "GET /items"),
        ("HEAD", "/items", "GET /items"),
        ("POST", "/items", None),
        ("OPTIONS", "/items", None),
        ("get", "/items", None),
        ("GET", "/items/", None),
        ("GET", "//items", None),
        ("GET", "/Items", None),
        ("GET", "", None),
        ("GET", "*", None),
        ("GET", "/orders/7", "GET /orders/<order_id>"),
        ("HEAD", "/orders/7", "GET /orders/<order_id>"),
        ("GET", "//orders/7", None),
        ("GET", "/orders//7", None),
        ("GET", "/orders/", None),
        ("GET", "/orders/7/fills", None),
        ("GET", "/orders/a\nb", "GET /orders/<order_id>"),
        ("GET", f"/orders/{'7' * 10_000}", "GET /orders/<order_id>"),
        ("GET", "/files/a/b.txt", "GET /files/<path:name>"),
        ("GET", "/files/a//b", "GET /files/<path:name>"),
        ("GET", "/days/12", "GET /days/<int:day>"),
        ("GET", "/days/x", None),
    ],
)
def test_a_path_is_for_the_rule_that_describes_it(method: str, path: str, endpoint: str | None) -> None:
    rules = ("/items", "/orders/<order_id>", "/files/<path:name>", "/days/<int:day>")
    found = inventory(legacy=[("GET", rule) for rule in rules])
    assert named(found, method, path) == endpoint
    assert named(found, method, path) == endpoint  # once more, when it may be remembered


def test_digits_that_flask_alone_takes_are_for_legacy() -> None:
    rules = [("GET", "/i/<int:x>"), ("GET", "/f/<float:x>"), ("GET", "/n/<name>"), ("GET", "/o/<int:x>")]
    found = inventory(native=[("GET", "/i/{x:int}"), ("GET", "/f/{x:float}"), ("GET", "/n/{name}")], legacy=rules)
    three = "\N{ARABIC-INDIC DIGIT THREE}"
    assert [named(found, "GET", path) for path in (f"/i/{three}", f"/f/1.{three}")] == [None, None]
    assert named(found, "GET", f"/n/{three}") == "GET /n/<name>"
    assert named(found, "GET", f"/o/{three}") == "GET /o/<int:x>"
    assert named(found, "GET", "/i/3") == "GET /i/<int:x>"


def test_paths_without_parameters_can_be_looked_up() -> None:
    found = inventory(legacy=[("GET", "/a"), ("POST", "/a"), ("GET", "/b/<x>")], native=[("GET", "/c")])
    assert {at: endpoint.name for at, endpoint in found.by_path.items()} == {
        ("GET", "/a"): "GET /a",
        ("HEAD", "/a"): "GET /a",
        ("POST", "/a"): "POST /a",
        ("GET", "/c"): "GET /c",
        ("HEAD", "/c"): "GET /c",
    }


def test_a_path_without_parameters_is_found_at_once() -> None:
    found = inventory(legacy=[("GET", f"/{number}/a/<x>") for number in range(100)] + [("GET", "/a")])
    seconds = min(timeit.repeat(lambda: found.match("GET", "/a"), number=1_000, repeat=10)) / 1_000
    assert seconds < 5e-6


# A table in which rules contest paths, by specificity, by method, by slash, by default and by order.
TRICKY: list[tuple[str, list[str], dict[str, Any]]] = [
    ("/", ["GET"], {}),
    ("/a", ["GET"], {}),
    ("/a/", ["POST"], {}),
    ("/a/b/", ["GET", "PUT"], {}),
    ("/a/<x>", ["GET", "DELETE"], {}),
    ("/a/<int:x>", ["GET"], {}),
    ("/a/<int(max=5):x>/b", ["GET"], {}),
    ("/a/<x>/b", ["GET"], {}),
    ("/a/<any(a, b, 'a.b'):x>/", ["GET"], {}),
    ("/a/<path:x>", ["PUT"], {}),
    ("/a/<path:x>/b", ["GET"], {}),
    ("/<x>.<y>", ["GET"], {}),
    ("/a.<int:y>", ["GET"], {}),
    ("/<float:x>", ["GET"], {}),
    ("/<string(length=2):x>/<path:y>", ["GET"], {}),
    ("/b", ["GET"], {"strict_slashes": False}),
    ("/b/<int:x>/", ["GET"], {"strict_slashes": False}),
    ("/c/", ["GET"], {"defaults": {"page": 1}, "endpoint": "paged"}),
    ("/c/<int:page>", ["GET"], {"endpoint": "paged"}),
    ("/1/<uuid:x>", ["GET"], {}),
    ("/b//a", ["GET"], {"merge_slashes": False}),
    ("/old/<x>", ["GET"], {"redirect_to": "/a/<x>"}),
    ("/h", ["HEAD"], {}),
]


@pytest.fixture(scope="module")
def tricky() -> tuple[Flask, Inventory]:
    app = Flask(__name__, static_folder=None)
    for number, (rule, methods, options) in enumerate(TRICKY):
        app.url_map.add(Rule(rule, methods=methods, **({"endpoint": f"view-{number}"} | options)))
    native = [("POST", "/a/{x:int}"), ("GET", "/z/{x}"), ("PUT", "/a/{x:path}")]
    return app, take_inventory(native_app(*native), app)


SEGMENTS = ["", "a", "b", "c", "h", "1", "7", "1.5", "a.b", "a.1", "aa", "old", "00000000-0000-4000-8000-000000000000"]


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
    segments=st.lists(st.sampled_from(SEGMENTS), max_size=4),
)
def test_a_path_is_for_what_flask_would_choose(
    method: str, segments: list[str], tricky: tuple[Flask, Inventory]
) -> None:
    app, found = tricky
    path = f"/{'/'.join(segments)}"
    assert named(found, method, path) == (None if path.startswith("//") else flask_s_choice(app, method, path))


def flask_s_choice(app: Flask, method: str, path: str) -> str | None:
    try:
        rule, _ = app.url_map.bind("test").match(path, method, return_rule=True)
    except HTTPException:
        return "POST /a/<int:x>" if method == "POST" and re.fullmatch(r"/a/\d+", path) else None
    return f"{'GET' if method == 'HEAD' and rule.rule != '/h' else method} {rule.rule}"


def test_several_threads_may_match() -> None:
    found = inventory(legacy=[("GET", "/a/<x>"), ("GET", "/b/<int:x>")])

    async def all_of_them() -> list[str | None]:
        return await asyncio.gather(*(asyncio.to_thread(named, found, "GET", f"/a/{number}") for number in range(200)))

    assert set(asyncio.run(all_of_them())) == {"GET /a/<x>"}
