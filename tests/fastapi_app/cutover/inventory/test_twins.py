"""Which rules of the two sides are twins."""

from collections.abc import Iterable

import pytest
from flask import Flask, has_request_context
from starlette.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor
from werkzeug.routing import BaseConverter, ValidationError

from fastapi_app.cutover.inventory.endpoints import take_inventory
from tests.fastapi_app.cutover.inventory.apps import inventory, legacy_app, named, native_app, sides


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
    sentence = (
        f"GET {flask} and native's {starlette} don't pair: their converters differ, and native's doesn't take all that "
        "legacy's takes"
    )
    assert sentence in found.findings
    assert [sentence in endpoint.notes for endpoint in found.endpoints] == [True, True]
    path = "/items/1.5" if "float" in flask else "/items/1"
    assert named(found, "GET", path) == f"GET {flask}"


def test_two_that_could_be_twins_of_one_are_twins_of_none() -> None:
    found = inventory(native=[("GET", "/r/{x}")], legacy=[("GET", "/r/<int:x>"), ("GET", "/r/<uuid:x>")])
    assert sides(found) == {"GET /r/<int:x>": "legacy", "GET /r/<uuid:x>": "legacy", "GET /r/<x>": "native"}
    assert found.findings == (
        "native's GET /r/{x} could be the twin of /r/<int:x> and of /r/<uuid:x>, so it is that of none",
    )
    assert [endpoint.notes for endpoint in found.endpoints] == [found.findings] * 3
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
    assert found.findings[0] == (
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
