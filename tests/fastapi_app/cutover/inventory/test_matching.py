"""A path is for the endpoint that legacy would choose."""

import asyncio
import re
import timeit
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Rule

from fastapi_app.cutover.inventory.endpoints import Inventory, take_inventory
from tests.fastapi_app.cutover.inventory.apps import inventory, named, native_app


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


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("/new", True),
        ("/new/7", True),
        ("/new/x", False),
        ("/new/", False),
        ("//new", False),
        ("/both", False),
        ("/both/7", False),
        ("/slash", False),
        ("/any/new", False),
        ("/nowhere", False),
        ("", False),
        ("/new/\N{ARABIC-INDIC DIGIT THREE}", False),
    ],
)
def test_a_path_is_native_s_to_refuse_where_its_rules_alone_take_it(path: str, alone: bool) -> None:
    found = inventory(
        native=[
            ("GET", "/new"),
            ("POST", "/new/{x:int}"),
            ("GET", "/both"),
            ("DELETE", "/both"),
            ("DELETE", "/both/{x}"),
            ("POST", "/any/new"),
        ],
        legacy=[("POST", "/both"), ("GET", "/both/<int:x>"), ("GET", "/slash/"), ("GET", "/any/<path:rest>")],
    )
    assert found.is_native_alone(path) is alone


def test_a_converter_of_legacy_s_that_fails_leaves_the_path_to_it() -> None:
    class Failing(BaseConverter):
        def to_python(self, value: str) -> str:
            raise RuntimeError(value)

    legacy = Flask(__name__, static_folder=None)
    legacy.url_map.converters["failing"] = Failing
    legacy.add_url_rule("/x/<failing:each>", "view", methods=["GET"])
    found = take_inventory(native_app(("POST", "/x/new"), ("POST", "/y")), legacy)
    assert [found.is_native_alone(path) for path in ("/x/new", "/y")] == [False, True]


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
