"""The emitted case is run: it fails with the wrong native app, and passes with the mended one."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask
import pytest
import starlette.applications
from hypothesis import given
from hypothesis import strategies as st

from fastapi_app import sides
from fastapi_app.cutover.candidates.capture import CandidateClient
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.evidence.redaction import redacted
from fastapi_app.cutover.suite import parity
from fastapi_app.cutover.suite.as_test import as_test
from fastapi_app.recorded_ports import PortsEffects
from shared.clock import FrozenClock
from shared.ids import FrozenIds
from shared.modes import EndpointMode
from shared.ports import LivePorts
from shared.store.memory import MemoryStore
from shared.window_config import WindowConfig

pytest_plugins = ["pytester"]

# pytester forgets what a suite has imported; to import these once and not for each suite takes a second less each.
PRELOADED = (flask, parity, sides, starlette.applications)

APPS = """
import json
from datetime import date

import flask
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.sides import native
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

old = flask.Flask("old")


@old.post("/login")
def login():
    form = flask.request.get_json()
    known = form["password"] == 's"ecret' and flask.request.headers["Authorization"] == "Bearer x"
    return {"known": known and flask.request.args["token"] == "a&b", "name": form["name"]}


class Wrong:
    upper = True


async def new_login(request):
    form = json.loads(await request.body())
    known = form["password"] == 's"ecret' and request.headers["authorization"] == "Bearer x"
    name = form["name"].upper() if Wrong.upper else form["name"]
    return JSONResponse({"known": known and request.query_params["token"] == "a&b", "name": name})


def create_new():
    return Starlette(routes=[Route("/login", new_login, methods=["POST"])])


class DearTrades:
    # This product's native side, which makes each trade of 0.50 one of 0.60 unless it is mended.
    def __init__(self):
        self.right = native()

    async def __call__(self, scope, receive, send):
        async def receive_wrongly():
            message = await receive()
            if Wrong.upper and "body" in message:
                message["body"] = message["body"].replace(b"0.50", b"0.60")
            return message

        await self.right(scope, receive_wrongly, send)


ACCEPTED = (
    AcceptedDifference(
        name="wording", endpoint="POST /login", path="body.name", reason="known", expires=date(2999, 1, 1)
    ),
)


class Both:
    legacy = old
    native = create_new()


def create_both():
    return Both
"""

LOGIN = Mismatch(
    id=17,
    endpoint="POST /login",
    at=datetime(2025, 3, 3, 12, tzinfo=UTC),
    mode=EndpointMode(mode="shadow"),
    request=SeenRequest(
        method="POST",
        path="/login",
        query="token=a%26b",
        headers=(
            ("host", "shop.example"),
            ("authorization", "Bearer x"),
            ("content-type", "application/json"),
            ("content-length", "59"),
        ),
        body=b'{"name": "it\'s \xc3\xa5sa", "password": "s\\"ecret", "price": 1.10}',
    ),
    primary=Observation(side="legacy", answer=SeenAnswer(status=200)),
    candidate=Observation(side="native", answer=SeenAnswer(status=200)),
    differences=(
        Difference(path="body.name", primary="it's åsa", candidate="IT'S ÅSA\n\ud800"),
        Difference(path='body["""\\n"]', primary=1, candidate_has=False),
    ),
)
REDACTED = replace(redacted(LOGIN, fields=["password", "token"]), differences=LOGIN.differences)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(apps=APPS)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def run(suite: pytest.Pytester, code: str, *, mended: bool = False) -> pytest.RunResult:
    suite.makepyfile(test_case=code)
    suite.makeconftest("import apps\napps.Wrong.upper = " + str(not mended))
    return suite.runpytest("-p", "no:hypothesispytest", "--tb=short")


def test_it_fails_now_and_passes_once_the_sides_agree(suite: pytest.Pytester) -> None:
    code = as_test(LOGIN, legacy="apps:old", native="apps:create_new()")
    wrong = run(suite, code)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(['E     body.name: legacy "it\'s åsa", native "IT\'S ÅSA"'])
    run(suite, code, mended=True).assert_outcomes(passed=1)


def test_both_sides_may_come_from_one_app(suite: pytest.Pytester) -> None:
    for native in ("apps:create_both()", "apps:Both"):
        code = as_test(LOGIN, native=native)
        run(suite, code).assert_outcomes(failed=1)
        run(suite, code, mended=True).assert_outcomes(passed=1)


def test_a_redacted_value_is_read_from_a_variable_that_the_case_names(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = as_test(REDACTED, legacy="apps:old", native="apps:create_new()")
    assert "ecret" not in code
    assert "Bearer" not in code
    without = run(suite, code, mended=True)
    without.assert_outcomes(failed=1)
    without.stdout.fnmatch_lines(["E   Failed: set PARITY_TOKEN: the request had a value there that was not kept"])

    secrets = {"PARITY_TOKEN": "a&b", "PARITY_AUTHORIZATION": "Bearer x", "PARITY_PASSWORD": 's"ecret'}
    for variable, value in secrets.items():
        monkeypatch.setenv(variable, value)
    wrong = run(suite, code)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(["E     body.name: *", '*"known":true*'])
    run(suite, code, mended=True).assert_outcomes(passed=1)


def test_both_sides_agree_on_data_that_is_gone_and_it_fails(suite: pytest.Pytester) -> None:
    # The sides of the suite answer 200, as if this 201 could be had no more.
    seen = replace(LOGIN, primary=Observation(side="legacy", answer=SeenAnswer(status=201)))
    gone = run(suite, as_test(seen, legacy="apps:old", native="apps:create_new()"), mended=True)
    gone.assert_outcomes(failed=1)
    gone.stdout.fnmatch_lines(
        [
            "E   AssertionError: POST /login?token=a%26b: legacy answered 201 when this was found and 200 now: "
            "its data is gone, or a variable PARITY_… has another value than the request had: bring that back, or "
            "delete this test",
            "E   legacy answered 200",
        ]
    )


def test_where_native_answered_the_client_it_is_legacy_that_it_goes_by(suite: pytest.Pytester) -> None:
    seen = replace(
        LOGIN,
        mode=EndpointMode(mode="verify"),
        primary=Observation(side="native", answer=SeenAnswer(status=500)),
        candidate=Observation(side="legacy", answer=SeenAnswer(status=200)),
    )
    code = as_test(seen, legacy="apps:old", native="apps:create_new()")
    wrong = run(suite, code)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(["E     body.name: *"])
    run(suite, code, mended=True).assert_outcomes(passed=1)


def test_differences_that_are_accepted_let_it_pass(suite: pytest.Pytester) -> None:
    code = as_test(LOGIN, legacy="apps:old", native="apps:create_new()", accepted="apps:ACCEPTED")
    run(suite, code).assert_outcomes(passed=1)


def test_a_body_that_was_cut_is_read_from_a_file(
    suite: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"password": 's"ecret', "name": "a" * 100_000}
    long = replace(LOGIN, request=replace(LOGIN.request, body=json.dumps(form).encode()))
    code = as_test(redacted(long, fields=[]), legacy="apps:old", native="apps:create_new()")
    assert len(code) < 2_000

    file = tmp_path / "body.json"
    file.write_text(json.dumps(form))
    monkeypatch.setenv("PARITY_BODY_FILE", str(file))
    monkeypatch.setenv("PARITY_AUTHORIZATION", "Bearer x")
    monkeypatch.setenv("PARITY_TOKEN", "a&b")
    run(suite, code).assert_outcomes(failed=1)
    run(suite, code, mended=True).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (
            "application/x-www-form-urlencoded",
            b"name=a&password=b%26c&x=1",
            'b"name=a&password=" + quote_plus(redacted("PARITY_PASSWORD")).encode() + b"&x=1"',
        ),
        (
            "multipart/form-data; boundary=X",
            b'--X\r\nContent-Disposition: form-data; name="password"\r\n\r\nsecret\r\n--X--',
            '+ redacted("PARITY_PASSWORD").encode()',
        ),
        (
            "application/json",
            b'[{"password":"a"},{"password":"b"},{"password":"c"}]',
            'json.dumps(redacted("PARITY_PASSWORD_3")).encode()',
        ),
        ("application/json", b'{"back":"/?password=a"}', 'quote_plus(redacted("PARITY_PASSWORD")).encode()'),
        ("application/octet-stream", b"\x00\xff'\"", "body=b'\\x00\\xff\\'\"'"),
    ],
)
def test_secrets_in_bodies(content_type: str, body: bytes, expected: str) -> None:
    request = replace(LOGIN.request, headers=(("content-type", content_type),), body=body)
    code = as_test(redacted(replace(LOGIN, request=request), fields=["password"]), native="apps:Both")
    assert expected in code
    compile(code, "case", "exec")


def test_a_secret_in_a_path_is_written_as_a_segment_and_one_in_the_query_as_a_parameter() -> None:
    request = replace(LOGIN.request, path="/reset/a%2Fb%20c", query="token=d%2Fe", headers=(), body=b"")
    mismatch = replace(LOGIN, endpoint="GET /reset/<key>", request=request)
    code = as_test(redacted(mismatch, fields=["key", "token"]), native="apps:Both")
    assert '+ quote(redacted("PARITY_PATH"), safe="")' in code
    assert '+ quote_plus(redacted("PARITY_TOKEN"))' in code
    assert "from urllib.parse import quote\nfrom urllib.parse import quote_plus\n" in code
    compile(code, "case", "exec")


def test_a_recording_is_put_to_both_sides_and_no_state_is_needed(suite: pytest.Pytester) -> None:
    live_ports = LivePorts(store=MemoryStore(), clock=FrozenClock(LOGIN.at), ids=FrozenIds())
    live_ports.store.create("default", WindowConfig(max_trades_per_day=7))
    body = b'{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}'
    headers = (("content-type", "application/json"), ("content-length", str(len(body))))
    request = SeenRequest(method="POST", path="/api/trading-window/trades", headers=headers, body=body)
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }

    async def record() -> Mapping[str, Any]:
        recording = await PortsEffects(live_ports).record(scope)
        client = CandidateClient(body, max_bytes=10_000)
        await sides.native()(scope, client.receive, client.send)
        assert client.capture.status == 201
        return recording.to_json()

    mismatch = replace(LOGIN, endpoint="POST /trades", request=request, recording=asyncio.run(record()))
    code = as_test(
        redacted(mismatch, fields=[]),
        legacy="fastapi_app.sides:legacy()",
        native="apps:DearTrades()",
        effects="fastapi_app.sides:effects()",
        accepted="fastapi_app.accepted_differences:ACCEPTED_DIFFERENCES",
    )
    wrong = run(suite, code)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(
        [
            "E     body.trade.quantity: legacy '0.50', native '0.60'",
            "E     effects.ledger*.quantity: legacy '0.50', native '0.60'",
            "E   legacy answered 201",
            'E     {"remaining_trades":6,*"executed_at":"2025-03-03T12:00:00.000000Z",*"trades_today":1}',
        ]
    )
    run(suite, code, mended=True).assert_outcomes(passed=1)


def test_a_recording_may_hold_any_json() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = [deep]
    recording = {"rate": float("nan"), "text": 'a "quoted" \\ """ \'\'\' \n å \ud800', "": "", "deep": deep}
    given = replace(LOGIN, recording=recording)
    module: dict[str, Any] = {}
    exec(as_test(given, native="fastapi_app.sides:native", effects="fastapi_app.sides:effects()"), module)
    read = module["RECORDING"]
    assert str(read.pop("rate")) == str(recording.pop("rate")) == "nan"
    assert read == recording


HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=200)


@given(
    method=st.from_regex(r"[A-Z]{1,8}", fullmatch=True),
    path=st.from_regex(r"/[a-z0-9%'/\\-]{0,200}", fullmatch=True),
    query=st.from_regex(r"([a-z]=[0-9'\"\\&]{0,100})?", fullmatch=True),
    headers=st.lists(st.tuples(st.from_regex("x-[a-z]{1,8}", fullmatch=True), HEADER_TEXT), max_size=3),
    body=st.binary(max_size=300),
)
def test_the_case_puts_the_request_that_was_seen(
    method: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    request = SeenRequest(method=method, path=path, query=query, headers=tuple(headers), body=body)
    module: dict[str, Any] = {}
    exec(as_test(replace(LOGIN, request=request), native="fastapi_app.sides:native"), module)  # the code is ours
    asked: list[Any] = []

    class Pair:
        def request(self, method: str, target: str, **rest: Any) -> None:
            asked.append((method, target, rest.get("headers", []), rest.get("body", b"")))

    module["native_app"] = sides
    module["test_mismatch_17_of_post_login"](lambda **_: Pair())
    assert asked == [(method, path + (f"?{query}" if query else ""), headers, body)]


def test_effects_without_a_recording_are_recorded_as_the_test_runs() -> None:
    code = as_test(LOGIN, legacy="apps:old", native="apps:new", effects="apps:Recorder()")
    assert "native=lambda: native_app, effects=effects())\n" in code
    assert "recording=" not in code
    assert "        legacy_answered=200,\n" in code


@pytest.mark.parametrize(
    ("native", "statement", "factory"),
    [
        ("apps:new", "from apps import new as native_app", "lambda: native_app"),
        ("apps:Apps.new", "from apps import Apps as native_app", "lambda: native_app.new"),
        ("apps:make()", "from apps import make as native_app", "native_app"),
        ("apps:make('x')", "from apps import make as native_app", "lambda: native_app('x')"),
    ],
)
def test_what_has_to_be_called_is_called(native: str, statement: str, factory: str) -> None:
    code = as_test(LOGIN, legacy="apps:old", native=native)
    assert f"{statement}\n" in code
    assert f"    pair = parity(legacy=lambda: legacy_app, native={factory})\n" in code


@pytest.mark.parametrize("text", ["apps", "apps:", "apps:create(1", "apps old", "import os:os"])
def test_what_is_no_import_string(text: str) -> None:
    with pytest.raises(ValueError, match="neither module:name nor module:name"):
        as_test(LOGIN, native=text)


def test_the_case_as_it_is_written() -> None:
    assert (
        as_test(REDACTED, legacy="apps:old", native="apps:create_new()")
        == r'''
# Mismatch 17 of POST /login, seen 2025-03-03T12:00:00+00:00 in shadow.
#   body.name: legacy "it's åsa", native "IT'S ÅSA\n\ud800"
#   body["""\n"]: legacy 1, native nothing

import json
import os
from urllib.parse import quote_plus

import pytest

from apps import create_new as native_app
from apps import old as legacy_app


def redacted(variable: str) -> str:
    """A value of the request that was not kept."""
    if variable not in os.environ:
        pytest.fail(f"set {variable}: the request had a value there that was not kept")
    return os.environ[variable]


def test_mismatch_17_of_post_login(parity):
    pair = parity(legacy=lambda: legacy_app, native=native_app)
    pair.request(
        "POST",
        "/login?token=" + quote_plus(redacted("PARITY_TOKEN")),
        headers=[
            ("host", "shop.example"),
            ("authorization", redacted("PARITY_AUTHORIZATION")),
            ("content-type", "application/json"),
        ],
        body=(
            b'{"name": "it\'s \xc3\xa5sa", "password": '
            + json.dumps(redacted("PARITY_PASSWORD")).encode()
            + b', "price": 1.10}'
        ),
        legacy_answered=200,
    )
'''[1:]
    )
