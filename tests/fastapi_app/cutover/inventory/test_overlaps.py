"""Who is asked where rules overlap."""

from pathlib import Path

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fastapi_app.cutover.inventory.endpoints import take_inventory
from tests.fastapi_app.cutover.inventory.apps import _answer, inventory, legacy_app, named, sides


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
    assert found.findings[1].startswith("GET /a/b: native declares /a/{path:path} before /a/b and answers /a/b by it")


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
