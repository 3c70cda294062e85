import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cli.loading import load_accepted, load_effects
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from shared.errors import SettingsError

MEANT = """
from datetime import date

from fastapi_app.cutover.comparing.accepted import AcceptedDifference

def rule(name="price", **given):
    values = {"endpoint": "*", "path": "body.price", "reason": "a number now", "expires": date(2999, 1, 1)}
    return AcceptedDifference(name=name, **{**values, **given})

RULES = (rule(),)
ONE = rule()
MIXED = [rule(), {"name": "price"}]
NONE = []

def make(*names):
    return [rule(name) for name in names or ["made"]]

def make_default():
    return make()

def make_wrong():
    return (rule(), rule("again", path="body..price"))

def make_lazy():
    yield rule()
"""

EFFECTS = """
from fastapi_app.cutover.effects import Effects

class Plain:
    async def record(self, scope):
        pass
    def from_json(self, recording):
        pass

class Declared(Effects):
    async def record(self, scope):
        pass
    def from_json(self, recording):
        pass

class Given(Plain):
    def __init__(self, mailer):
        self.mailer = mailer

class Blocking(Plain):
    def record(self, scope):
        pass

class Lacking:
    async def record(self, scope):
        pass

class Narrow(Plain):
    def from_json(self):
        pass

plain = Plain()
number = 5

def make():
    return plain

def make_class():
    return Plain

async def make_async():
    return plain
"""


@pytest.fixture(autouse=True)
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop").mkdir()
    for name, source in (("__init__", ""), ("meant", MEANT), ("effects", EFFECTS)):
        (tmp_path / "shop" / f"{name}.py").write_text(source)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def accepted(name: str) -> Any:
    return load_accepted(name, option="--accepted").value


def effects(name: str) -> Any:
    return load_effects(name, option="--effects").value


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("shop.meant:RULES", ["price"]),
        ("shop.meant:NONE", []),
        ("shop.meant:make_default", ["made"]),
        ("shop.meant:make()", ["made"]),
        ("shop.meant:make('first', 'second')", ["first", "second"]),
    ],
)
def test_accepted_differences_are_taken_or_made(name: str, rules: list[str]) -> None:
    assert list(accepted(name)) == [
        AcceptedDifference(name=rule, endpoint="*", path="body.price", reason="a number now", expires=date(2999, 1, 1))
        for rule in rules
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("shop.meant", "'shop.meant' is not of the form module:name or module:make()"),
        ("shop.meant:none", "the module shop.meant has no none"),
        (
            "shop.meant:ONE",
            "shop.meant:ONE is no list or tuple (AcceptedDifference), and one of AcceptedDifference is needed",
        ),
        (
            "shop.meant:make_lazy",
            "shop.meant:make_lazy is no list or tuple (generator), and one of AcceptedDifference is needed",
        ),
        ("shop.meant:MIXED", "shop.meant:MIXED[1] is no AcceptedDifference (dict), and one is needed"),
    ],
)
def test_what_is_no_list_of_accepted_differences_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        accepted(name)
    assert str(caught.value) == f"--accepted: {sentence}"


def test_a_rule_that_is_wrong_is_shown_from_the_code_on_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        accepted("shop.meant:make_wrong")
    first, heading, origin, *_, last = str(caught.value).splitlines()
    assert first == "--accepted: this came out of shop.meant:make_wrong as it was loaded:"
    assert heading == "Traceback (most recent call last):"
    assert re.fullmatch(rf'  File "{re.escape(str(tmp_path))}/shop/meant.py", line \d+, in make_wrong', origin)
    assert last.startswith("ValueError: ")
    assert "body..price" in last


@pytest.mark.parametrize("attribute", ["plain", "make", "make()"])
def test_what_records_effects_is_taken_or_made(attribute: str) -> None:
    assert effects(f"shop.effects:{attribute}") is sys.modules["shop.effects"].plain


@pytest.mark.parametrize(("attribute", "made"), [("Plain", "Plain"), ("Declared", "Declared"), ("make_class", "Plain")])
def test_a_class_that_records_effects_is_called(attribute: str, made: str) -> None:
    assert type(effects(f"shop.effects:{attribute}")).__name__ == made


@pytest.mark.parametrize(
    ("attribute", "spelled"),
    [
        ("plain", "plain"),
        ("make", "make()"),
        ("Plain", "Plain()"),
        ("Declared", "Declared()"),
        ("make_class", "make_class()()"),
    ],
)
def test_a_name_is_spelled_with_each_call_that_was_made(attribute: str, spelled: str) -> None:
    assert load_effects(f"shop.effects:{attribute}", option="--effects").spelled == f"shop.effects:{spelled}"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("shop.effects:none", "the module shop.effects has no none"),
        ("shop.effects:number", "shop.effects:number records no effects (int): it needs async def record(self, scope)"),
        (
            "shop.effects:Blocking",
            "shop.effects:Blocking records no effects (Blocking): it needs async def record(self, scope)",
        ),
        (
            "shop.effects:Lacking",
            "shop.effects:Lacking records no effects (Lacking): it needs def from_json(self, recording)",
        ),
        (
            "shop.effects:Narrow",
            "shop.effects:Narrow records no effects (Narrow): it needs def from_json(self, recording)",
        ),
        (
            "shop.effects:Given",
            "this came out of shop.effects:Given as it was loaded:\n"
            "TypeError: Given.__init__() missing 1 required positional argument: 'mailer'",
        ),
        ("shop.effects:make_async", "shop.effects:make_async is an async factory, which can't be called here"),
    ],
)
def test_what_records_no_effects_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        effects(name)
    assert str(caught.value) == f"--effects: {sentence}"
