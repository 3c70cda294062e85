"""Cookies and dates that two sides make at different instants; what signs the cookies is Flask itself."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import flask
import pytest
import time_machine

from fastapi_app.cutover.comparing.verdict import compare
from tests.fastapi_app.cutover.comparing.seen import places, seen

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LONG = "x" * 200
"""Flask packs a session of this size, and marks that by a dot before it."""


def session_cookie(*, late_seconds: float = 0, user: str = "ada", key: str = "k", permanent: bool = False) -> str:
    app = flask.Flask(__name__)
    app.secret_key = key

    @app.get("/")
    def set_it() -> str:
        flask.session["user"] = user
        flask.session.permanent = permanent
        return ""

    with time_machine.travel(NOW + timedelta(seconds=late_seconds), tick=False):
        return app.test_client().get("/").headers["Set-Cookie"]


def differ_in(primary: str, candidate: str, *, name: str = "set-cookie") -> list[str]:
    with time_machine.travel(NOW, tick=False):
        return places(compare(seen(headers=((name, primary),)), seen(headers=((name, candidate),))))


@pytest.mark.parametrize("user", ["ada", LONG])
@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("late_seconds", [1, 60, -1])
def test_a_session_that_was_signed_a_little_later_is_the_same(user: str, permanent: bool, late_seconds: float) -> None:
    ours = session_cookie(user=user, permanent=permanent)
    theirs = session_cookie(user=user, permanent=permanent, late_seconds=late_seconds)
    assert ours != theirs
    assert differ_in(ours, theirs) == []


@pytest.mark.parametrize(
    "other",
    [
        session_cookie(user="bob", late_seconds=1),
        session_cookie(user="bob"),
        session_cookie(key="another"),
        session_cookie(late_seconds=61),
        session_cookie(permanent=True),
        session_cookie(late_seconds=1).replace("; Path", "x; Path"),
        session_cookie(late_seconds=1).replace("session=", "session=."),
        session_cookie(late_seconds=1).replace("HttpOnly; ", ""),
        "session=ada; HttpOnly; Path=/",
        "session=.; HttpOnly; Path=/",
        "session=...; HttpOnly; Path=/",
    ],
)
def test_a_session_that_differs_in_more_is_another(other: str) -> None:
    """A key that is another can be told where both were signed within one second."""
    assert differ_in(session_cookie(), other) == ["headers.set-cookie.session"]


SIGNATURE = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("a.b.c", "a.b.d"),
        ("v1.2.3", "v1.2.4"),
        ("3.104500.1", "3.104510.1"),
        ("v1.20261127.0", "v1.20261128.0"),
        ("EUR.123410.00", "EUR.123420.00"),
        (f"a.104500.{SIGNATURE}1", f"a.104510.{SIGNATURE}2"),
        (f"a.aaaaaaaaa.{SIGNATURE}1", f"a.aaaaaaaab.{SIGNATURE}2"),
        (f"a.AQ.{SIGNATURE}1", f"a.Ag.{SIGNATURE}2"),
        # Times of that noon, as itsdangerous writes them.
        ("a.aagewA.c", "a.aagewQ.d"),
        (f"a.aagewA.{SIGNATURE}", f"a.aagewQ.{SIGNATURE}"),
        (f"a.aagewA.{SIGNATURE}1", f"a.aagewQ.{SIGNATURE}"),
        (f"a.aagew.{SIGNATURE}1", f"a.aagewQ.{SIGNATURE}2"),
        (f"a.aage!A.{SIGNATURE}1", f"a.aagewQ.{SIGNATURE}2"),
    ],
)
def test_what_is_no_time_is_compared_as_it_is(ours: str, theirs: str) -> None:
    assert differ_in(f"a={ours}", f"a={theirs}") == ["headers.set-cookie.a"]


@pytest.mark.parametrize(("late_seconds", "differences"), [(0, 0), (60, 0), (-60, 0), (61, 1), (-61, 1)])
def test_an_expires_may_be_a_minute_earlier_or_later(late_seconds: float, differences: int) -> None:
    ours, theirs = (format_datetime(NOW + timedelta(seconds=late), usegmt=True) for late in (0, late_seconds))
    assert len(differ_in(ours, theirs, name="expires")) == differences
    assert len(differ_in(f"a=1; Expires={ours}", f"a=1; Expires={theirs}")) == differences


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("0", "1"),
        ("0", "Wed, 04 Mar 2026 12:00:00 GMT"),
        ("", "0"),
        ("Sat, 01 Jan 10000 00:00:00 GMT", "Sat, 01 Jan 10000 00:00:01 GMT"),
        ("Sat, 01 Jan 99999999999 00:00:00 GMT", "Sat, 01 Jan 99999999999 00:00:01 GMT"),
    ],
)
def test_an_expires_that_is_no_date_is_compared_as_it_is(ours: str, theirs: str) -> None:
    assert differ_in(ours, theirs, name="expires") == ["headers.expires"]
