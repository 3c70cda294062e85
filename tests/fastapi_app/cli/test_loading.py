import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cli.loading import load_app
from shared.errors import SettingsError

SHOP = """
from functools import partial, wraps

from fastapi import FastAPI
from flask import Flask

flask_app = Flask(__name__)
fastapi_app = FastAPI()

class Apps:
    legacy = flask_app

def make_flask(name="made"):
    return Flask(name)

def make_fastapi():
    return fastapi_app

def wsgi(environ, start_response):
    return []

async def asgi(scope, receive, send):
    pass

async def make_async():
    return asgi

async def any_asgi(*arguments):
    pass

class Wrapped:
    def __init__(self, app):
        self.app = app
    def __call__(self, scope, receive, send):
        return self.app(scope, receive, send)

wrapped = Wrapped(asgi)
partial_wsgi = partial(lambda setting, environ, start_response: [], 1)
any_wsgi = wraps(wsgi)(lambda *arguments: wsgi(*arguments))
number = 5

def make_number():
    return number
"""


@pytest.fixture(autouse=True)
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "apps.py").write_text(SHOP)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def legacy(name: str) -> Any:
    return load_app(name, kind="WSGI", option="--legacy").value


def native(name: str) -> Any:
    return load_app(name, kind="ASGI", option="--native").value


@pytest.mark.parametrize("attribute", ["wsgi", "partial_wsgi", "any_wsgi", "flask_app", "Apps.legacy"])
def test_a_wsgi_app_is_taken_as_it_is(attribute: str) -> None:
    app = legacy(f"shop.apps:{attribute}")
    found: Any = sys.modules["shop.apps"]
    for part in attribute.split("."):
        found = getattr(found, part)
    assert app is found


@pytest.mark.parametrize("attribute", ["asgi", "any_asgi", "wrapped", "fastapi_app"])
def test_an_asgi_app_is_taken_as_it_is(attribute: str) -> None:
    assert native(f"shop.apps:{attribute}") is getattr(sys.modules["shop.apps"], attribute)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("shop.apps:make_flask", "made"),
        ("shop.apps:make_flask()", "made"),
        ("shop.apps:make_flask('shop')", "shop"),
    ],
)
def test_what_makes_an_app_is_called(name: str, made: str) -> None:
    assert legacy(name).name == made


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("shop.apps:Apps.legacy", "shop.apps:Apps.legacy"),
        ("shop.apps:make_flask", "shop.apps:make_flask()"),
        ("shop.apps:make_flask()", "shop.apps:make_flask()"),
        ('shop.apps:make_flask( "shop" )', "shop.apps:make_flask('shop')"),
    ],
)
def test_a_name_is_spelled_with_the_call_that_was_made(name: str, spelled: str) -> None:
    assert load_app(name, kind="WSGI", option="--legacy").spelled == spelled


def test_what_makes_an_asgi_app_is_called() -> None:
    assert native("shop.apps:make_fastapi") is sys.modules["shop.apps"].fastapi_app


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("shop.apps", "'shop.apps' is not of the form module:app or module:make_app()"),
        ("shop.apps:", "'shop.apps:' is not of the form module:app or module:make_app()"),
        (":app", "':app' is not of the form module:app or module:make_app()"),
        ("shop.apps:make(", "'shop.apps:make(' is not of the form module:app or module:make_app()"),
        ("shop.apps:make(a=1)", "'shop.apps:make(a=1)' is not of the form module:app or module:make_app()"),
        ("shop.apps:make(x)", "'shop.apps:make(x)' is not of the form module:app or module:make_app()"),
        ("../shop:app", "'../shop:app' is not of the form module:app or module:make_app()"),
        ("shop.none:app", "no module 'shop.none' in {folder} or among what is installed"),
        ("none_such.deeper:app", "no module 'none_such' in {folder} or among what is installed"),
        ("shop.apps:none", "the module shop.apps has no none"),
        ("shop.apps:Apps.none", "the module shop.apps has no Apps.none"),
        ("shop.apps:number()", "shop.apps:number can't be called: int"),
        ("shop.apps:number", "shop.apps:number is no app (int), and a WSGI app is needed"),
        ("shop.apps:make_number", "shop.apps:make_number is no app (int), and a WSGI app is needed"),
        ("shop.apps:asgi", "shop.apps:asgi is an ASGI app, and a WSGI app is needed"),
        ("shop.apps:wrapped", "shop.apps:wrapped is an ASGI app, and a WSGI app is needed"),
        ("shop.apps:make_fastapi", "shop.apps:make_fastapi is an ASGI app, and a WSGI app is needed"),
    ],
)
def test_a_name_that_leads_to_no_wsgi_app_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        legacy(name)
    assert str(caught.value) == f"--legacy: {sentence.format(folder=tmp_path)}"


@pytest.mark.parametrize(
    ("name", "needed"),
    [("shop.common:app", "shared.texts"), ("fastapi_app.main:app", "fastapi_app.main")],
    ids=["what the app imports", "the app itself"],
)
def test_a_package_that_is_called_like_one_of_this_distribution_is_told(name: str, needed: str, tmp_path: Path) -> None:
    package = needed.partition(".")[0]
    (tmp_path / package).mkdir()
    (tmp_path / f"{needed.replace('.', '/')}.py").write_text("app = 1\n")
    (tmp_path / "shop" / "common.py").write_text("from shared.texts import app\n")
    with pytest.raises(SettingsError) as caught:
        legacy(name)
    assert str(caught.value) == (
        f"--legacy: {needed} can't be imported: {package!r} in {tmp_path} has the name of a package of Trading "
        "Window's own, and one process can't have two"
    )


def test_a_wsgi_app_is_no_native_one() -> None:
    with pytest.raises(
        SettingsError, match=re.escape("--native: shop.apps:flask_app is a WSGI app, and an ASGI app is")
    ):
        native("shop.apps:flask_app")


@pytest.mark.parametrize("name", ["shop.apps:make_async", "shop.apps:make_async()"])
def test_an_async_factory_is_refused(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        native(name)
    assert str(caught.value) == "--native: shop.apps:make_async is an async factory, which can't be called here"


@pytest.mark.parametrize(
    ("source", "name", "shown"),
    [
        (
            "import a_module_that_is_not_there\n",
            "shop.broken:app",
            """Traceback (most recent call last):
  File "{file}", line 1, in <module>
    import a_module_that_is_not_there
ModuleNotFoundError: No module named 'a_module_that_is_not_there'""",
        ),
        (
            "def make_app():\n    raise KeyError('DATABASE_URL')\n",
            "shop.broken:make_app()",
            """Traceback (most recent call last):
  File "{file}", line 2, in make_app
    raise KeyError('DATABASE_URL')
KeyError: 'DATABASE_URL'""",
        ),
        (
            "import sys\nsys.exit(7)\n",
            "shop.broken:app",
            """Traceback (most recent call last):
  File "{file}", line 2, in <module>
    sys.exit(7)
SystemExit: 7""",
        ),
        (
            "app = (\n",
            "shop.broken:app",
            """  File "{file}", line 1
    app = (
          ^
SyntaxError: '(' was never closed""",
        ),
    ],
    ids=["lacking", "factory", "exit", "syntax"],
)
def test_what_the_app_itself_raises_is_shown_from_its_own_code_on(
    source: str, name: str, shown: str, tmp_path: Path
) -> None:
    file = tmp_path / "shop" / "broken.py"
    file.write_text(source)
    with pytest.raises(SettingsError) as caught:
        legacy(name)
    assert str(caught.value) == f"--legacy: this came out of {name} as it was loaded:\n{shown.format(file=file)}"


def test_what_is_taken_works() -> None:
    assert legacy("shop.apps:partial_wsgi")({}, None) == []
    assert asyncio.run(native("shop.apps:wrapped")({}, None, None)) is None
