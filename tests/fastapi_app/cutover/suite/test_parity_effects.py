"""The `parity` fixture with a recorder of effects, and no recording: what legacy does is real, and native is replayed.
The shop is that of docs/effects.md."""

import re
import sys
from pathlib import Path

import fastapi
import flask
import pytest

from fastapi_app.cutover.suite import parity
from tests.documented import EFFECTS, write_modules

pytest_plugins = ["pytester"]

# pytester forgets what a suite has imported; to import these once and not for each suite takes a second less each.
PRELOADED = (fastapi, flask, parity)

BEGINNING = """
import flask
import pytest
import shop
import shop_effects

def pair_of(parity, legacy=lambda: shop.old, **others):
    return parity(legacy=legacy, native=lambda: shop.new, effects=shop_effects.MailEffects(), **others)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setattr(sys, "path", list(sys.path))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    write_modules(pytester.path)
    return pytester


def run(suite: pytest.Pytester, test: str) -> pytest.RunResult:
    suite.makepyfile(test)
    return suite.runpytest("-p", "no:randomly", "-p", "no:hypothesispytest", "--tb=short")


def test_the_documented_test_finds_what_native_forgot(suite: pytest.Pytester) -> None:
    (test,) = re.findall(r"^```python\n(import shop\n.*?)^```", EFFECTS, re.DOTALL | re.MULTILINE)
    result = run(suite, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   AssertionError: POST /orders: legacy and native differ",
            "E     effects.sent[[]0[]].to: legacy 'ada@example.org', native 'Ada@Example.org'",
        ]
    )
    # Legacy's alone.
    assert Path("sent.txt").read_text() == "ada@example.org: Thank you\n"


def test_native_is_given_what_legacy_was_and_sends_nothing(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        BEGINNING
        + """
def test_orders(parity):
    pair = pair_of(parity)
    # The id of each mail is random: native answers with it by replay alone.
    ids = {pair.request("POST", "/orders", json={"to": "ada@example.org"}).body for _ in range(2)}
    assert len(ids) == 2
""",
    )
    result.assert_outcomes(passed=1)
    assert Path("sent.txt").read_text() == "ada@example.org: Thank you\n" * 2


def test_what_legacy_does_behind_its_answer_counts(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        BEGINNING
        + """
import time

def create_slow():
    app = flask.Flask("slow")

    @app.post("/orders")
    def order():
        mailer = shop.mailer_of(flask.request.environ["asgi.scope"])
        answer = flask.jsonify({"mail": mailer.send("ada@example.org", "Thank you")})

        @answer.call_on_close
        def again():
            time.sleep(0.1)
            mailer.send("ada@example.org", "Thank you again")

        return answer

    return app

def test_orders(parity):
    pair_of(parity, legacy=create_slow).request("POST", "/orders", json={"to": "ada@example.org"})
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E     effects.sent[[]1[]]: legacy {*'Thank you again'*}, native nothing"])


def test_what_legacy_did_not_read_is_told(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        BEGINNING
        + """
def test_orders(parity, monkeypatch):
    monkeypatch.setattr(shop_effects.ReplayingMailer, "unrecorded_read", lambda _: "the outbox")
    pair_of(parity).request("POST", "/orders", json={"to": "ada@example.org"})
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   AssertionError: native read what the recording can't answer: the outbox"])


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (
            "effects=shop_effects.MailEffects",
            "TypeError: effects=<class 'shop_effects.MailEffects'> is a class, and what it makes is needed: "
            "MailEffects()",
        ),
        (
            "effects=shop_effects.MailEffects(), native_effects=dict",
            "ValueError: effects= goes without legacy_effects= and native_effects=: "
            "native does nothing that these could tell",
        ),
    ],
    ids=["class", "both ways"],
)
def test_what_can_not_be_compared_is_refused(suite: pytest.Pytester, others: str, sentence: str) -> None:
    body = f"def test_pair(parity):\n    parity(legacy=lambda: shop.old, native=lambda: shop.new, {others})\n"
    result = run(suite, BEGINNING + body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E   {sentence}"])


def test_pytest_shows_how_the_fixture_is_used(suite: pytest.Pytester) -> None:
    suite.runpytest("--fixtures").stdout.fnmatch_lines(
        [
            "parity -- *",
            "    pair = parity(legacy=create_old, native=create_new) takes two factories, *",
            '    pair.request("POST", "/items?a=1", json={"name": "a"}) sends the request to both, *',
            "*headers=, body=, and accepted=*",
            "*parity(..., effects=Recorder())*",
        ]
    )
