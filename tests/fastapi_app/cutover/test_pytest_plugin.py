"""The `parity` fixture as another project's suite uses it."""

import subprocess
import sys

import fastapi
import flask
import pytest

from fastapi_app.cutover.suite import parity

pytest_plugins = ["pytester"]

# pytester forgets what a suite has imported; to import these once and not for each suite takes a second less each.
PRELOADED = (fastapi, flask, parity)

APPS = '''
import asyncio
from contextlib import asynccontextmanager
from datetime import date

import fastapi
import flask

from fastapi_app.cutover.comparing.accepted import AcceptedDifference

MESSAGE = AcceptedDifference(
    name="wording", endpoint="GET /items/<int:number>", path="body.message", reason="nobody reads it",
    expires=date(2999, 1, 1),
)


class World:
    """A Flask app and a FastAPI app that should do the same; `message` is what native says."""

    def __init__(self, message="one item"):
        self.message = message
        self.kept = []
        self.steps = []

    def legacy(self):
        self.steps.append("legacy")
        app = flask.Flask("legacy")

        @app.get("/items/<int:number>")
        def item(number):
            if number == 404:
                flask.abort(404)
            return {"number": number, "message": "one item", "host": flask.request.host}

        @app.post("/items")
        def post():
            self.kept.append(flask.request.get_json()["name"])
            return {"kept": len(self.kept)}, 201

        @app.get("/fault")
        @app.get("/fault/stream")
        def fault():
            return "Internal Server Error", 500, {"Content-Type": "text/plain; charset=utf-8"}

        @app.route("/only", methods=["HEAD"])
        def only():
            return "", 204, {"Content-Type": "text/plain"}

        return app

    async def native(self):
        self.steps.append("native")
        await asyncio.sleep(0)

        @asynccontextmanager
        async def lifespan(app):
            self.steps.append("up")
            yield {"greeting": self.message}
            self.steps.append("down")

        app = fastapi.FastAPI(lifespan=lifespan)

        @app.get("/items/{number:int}")
        async def item(number: int, request: fastapi.Request):
            return {"message": request.state.greeting, "host": request.headers["host"], "number": number}

        @app.post("/items", status_code=201)
        async def post(request: fastapi.Request):
            self.kept.append((await request.json())["name"].strip())
            return {"kept": len(self.kept)}

        @app.get("/fault")
        async def fault():
            raise KeyError("gone")

        @app.head("/only")
        async def only():
            return fastapi.Response(status_code=204, headers={"Content-Type": "text/plain"})

        @app.get("/fault/stream")
        async def stream():
            return fastapi.responses.StreamingResponse(iter(["Internal Server Error"]), 500, media_type="text/plain")

        @app.get("/slow")
        async def slow():
            await asyncio.Event().wait()

        return app
'''


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(apps=APPS)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def run(suite: pytest.Pytester, test: str) -> pytest.RunResult:
    suite.makepyfile("from datetime import date\nimport dataclasses\nimport apps\nimport pytest\n" + test)
    return suite.runpytest("-p", "no:randomly", "-p", "no:hypothesispytest", "--tb=short")


def test_two_apps_that_agree(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def test_agree(parity):
    old, new = apps.World(), apps.World()
    pair = parity(legacy=old.legacy, native=new.native, legacy_effects=lambda: {"kept": old.kept},
                  native_effects=lambda: {"kept": new.kept})
    answer = pair.request("GET", "/items/7?a=1")
    assert (answer.status, answer.body) == (200, b'{"host":"testserver","message":"one item","number":7}\\n')
    assert pair.request("POST", "/items", json={"name": "a"}).status == 201
    pair.request("POST", "/items", body='{"name":"b"}', headers=[("Content-Type", "application/json")])
    pair.request("GET", "/items/7", headers={"Host": "shop.example"})
    assert old.kept == new.kept == ["a", "b"]
    assert (old.steps, new.steps) == (["legacy"], ["native", "up"])


def test_head(parity):
    pair = parity(legacy=apps.World().legacy, native=apps.World().native)
    assert pair.request("HEAD", "/items/7").status == 200
    # Only one of them announces a length.
    assert pair.request("HEAD", "/fault/stream").status == 500
    # An endpoint of its own.
    assert pair.request("HEAD", "/only").status == 204


new = apps.World()

def test_the_lifespan_begins(parity):
    parity(legacy=apps.World().legacy, native=new.native)
    assert new.steps == ["native", "up"]

def test_the_lifespan_has_ended():
    assert new.steps == ["native", "up", "down"]
""",
    )
    result.assert_outcomes(passed=4)


def test_a_difference_is_a_readable_failure(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def test_differ(parity):
    parity(legacy=apps.World().legacy, native=apps.World("1 item").native).request("GET", "/items/7?a=1")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   AssertionError: GET /items/7?a=1: legacy and native differ",
            "E     body.message: legacy 'one item', native '1 item'",
            "E   legacy answered 200",
            "E     content-type: application/json",
            'E     {"host":"testserver","message":"one item","number":7}',
            "E   native answered 200",
            'E     {"message":"1 item","host":"testserver","number":7}',
        ]
    )
    # The place to look at is the test.
    result.stdout.no_fnmatch_line("*parity.py*in request*")


def test_a_body_of_several_lines_stays_in_its_place(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def test_differ(parity):
    async def native(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"[\\n1\\n]"})

    parity(legacy=apps.World().legacy, native=lambda: native).request("GET", "/fault")
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   native answered 500", "E     [[]", "E     1", "E     ]"], consecutive=True)


@pytest.mark.parametrize(
    ("legacy", "native", "sentence"),
    [
        (
            "apps.World().legacy()",
            "apps.World().native",
            "legacy=<Flask 'legacy'> takes arguments, and is called without: for an app, give `lambda: app`",
        ),
        (
            "apps.World().legacy",
            "fastapi.FastAPI()",
            "native=<fastapi.applications.FastAPI object at *> takes arguments, and is called without: *",
        ),
        ("apps.World().native", "apps.World().native", "legacy=* made <fastapi.*>, and a WSGI app is needed"),
        ("apps.World().legacy", "apps.World().legacy", "native=* made <Flask 'legacy'>, and an ASGI app is needed"),
        ("dict", "apps.World().native", "legacy=<class 'dict'> made {}, and a WSGI app is needed"),
    ],
)
def test_what_makes_no_app_is_named(suite: pytest.Pytester, legacy: str, native: str, sentence: str) -> None:
    result = run(suite, f"import fastapi\ndef test_pair(parity):\n    parity(legacy={legacy}, native={native})\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E   TypeError: {sentence}"])


def test_effects_that_differ(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def test_differ(parity):
    old, new = apps.World(), apps.World()
    pair = parity(legacy=old.legacy, native=new.native, legacy_effects=lambda: {"kept": old.kept},
                  native_effects=lambda: {"kept": new.kept})
    pair.request("POST", "/items", json={"name": " a"})
""",
    )
    result.stdout.fnmatch_lines(["E     effects.kept[[]0[]]: legacy ' a', native 'a'"])
    result.assert_outcomes(failed=1)


def test_a_side_that_raises_or_hangs(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def pair(parity):
    return parity(legacy=apps.World().legacy, native=apps.World().native, timeout_seconds=0.2)

def test_an_answered_fault_is_an_answer(parity):
    assert pair(parity).request("GET", "/fault").status == 500

def test_raises(parity):
    async def broken(scope, receive, send):
        raise KeyError("gone")

    legacy = apps.World().legacy
    parity(legacy=legacy, native=lambda: broken).request("GET", "/fault")

def test_hangs(parity):
    pair(parity).request("GET", "/slow")
""",
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["E     raised: legacy nothing, native \"KeyError: 'gone'\""])
    result.stdout.fnmatch_lines(["E   native answered 500; it raised KeyError: 'gone', KeyError in broken (*.py:*)"])
    result.stdout.fnmatch_lines(["E   AssertionError: native took longer than 0.2 s"])


def test_a_native_app_that_does_not_start(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
from contextlib import asynccontextmanager
import fastapi

@asynccontextmanager
async def lifespan(app):
    raise LookupError("no database")
    yield

def test_start(parity):
    with pytest.raises(RuntimeError, match="the native app's startup failed: (?s:.*)no database"):
        parity(legacy=apps.World().legacy, native=lambda: fastapi.FastAPI(lifespan=lifespan))
""",
    )
    result.assert_outcomes(passed=1)


def test_accepted_differences(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
def ask(parity, rule, target="/items/7"):
    pair = parity(legacy=apps.World().legacy, native=apps.World("1 item").native)
    return pair.request("GET", target, accepted=[rule])

def test_accepted(parity):
    assert ask(parity, apps.MESSAGE).status == 200

def test_of_another_endpoint(parity):
    with pytest.raises(AssertionError, match="body.message"):
        ask(parity, dataclasses.replace(apps.MESSAGE, endpoint="GET /others/<int:number>"))

def test_expired(parity):
    ask(parity, dataclasses.replace(apps.MESSAGE, expires=date(2025, 1, 1)))
""",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   AssertionError: the accepted difference 'wording' of GET /items/<int:number> expired on 2025-01-01"
            " (nobody reads it)"
        ]
    )


def test_who_does_not_use_the_fixture_pays_nothing_for_it() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import fastapi_app.cutover.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["fastapi_app", "fastapi_app.cutover", "fastapi_app.cutover.pytest_plugin"]
