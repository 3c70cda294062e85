import time

import pytest

from fastapi_app.cutover.comparing.observation import Difference, Observation
from fastapi_app.cutover.comparing.verdict import MATCH, compare
from tests.fastapi_app.cutover.comparing.seen import JSON, Headers, places, seen


@pytest.mark.parametrize(
    ("primary", "candidate"),
    [
        ([("date", "Mon"), ("server", "a")], [("server", "b"), ("connection", "close"), ("x-request-id", "1")]),
        ([("transfer-encoding", "chunked")], [("content-length", "2"), ("x-cutover-side", "native")]),
        ([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]),
        ([("x-list", "1"), ("x-list", "2")], [("x-list", "1, 2")]),
        ([("content-type", "application/json")], [("content-type", "Application/JSON; Charset=UTF-8")]),
        ([("content-type", "application/problem+json")], [("content-type", "application/problem+json;charset=utf-8")]),
        ([("content-type", 'text/html; charset="utf-8"')], [("content-type", "text/html;charset=UTF-8")]),
        ([("allow", "GET, HEAD, POST")], [("allow", "POST,GET"), ("allow", "HEAD")]),
        ([("vary", "Accept, Cookie")], [("vary", "cookie,accept")]),
        ([("cache-control", "no-store, max-age=0")], [("cache-control", "max-age=0, No-Store")]),
        ([("set-cookie", "a=1; Path=/; HttpOnly"), ("set-cookie", "b=2")],
         [("set-cookie", "b=2"), ("set-cookie", "a=1; httponly; path=/")]),
        ([("set-cookie", "a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:00 GMT")],
         [("set-cookie", "a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:01 GMT")]),
        ([("set-cookie", "a=1; SameSite=Lax")], [("set-cookie", "a=1; samesite=lax")]),
    ],
)  # fmt: skip
def test_headers_of_equal_meaning_match(primary: list[tuple[str, str]], candidate: list[tuple[str, str]]) -> None:
    for one, other in ((primary, candidate), (candidate, primary)):
        assert compare(seen(headers=tuple(one)), seen(headers=tuple(other))) is MATCH


@pytest.mark.parametrize(
    ("primary", "candidate", "difference"),
    [
        ("content-type: application/json", "content-type: text/html",
         Difference(path="headers.content-type", primary="application/json", candidate="text/html")),
        ("content-type: text/html; charset=utf-8", "content-type: text/html",
         Difference(path="headers.content-type", primary="text/html; charset=utf-8", candidate="text/html")),
        ("content-type: application/json", "content-type: application/json; charset=latin-1",
         Difference(path="headers.content-type", primary="application/json",
                    candidate="application/json; charset=latin-1")),
        ("location: /a", "location: http://testserver/a",
         Difference(path="headers.location", primary="/a", candidate="http://testserver/a")),
        ("allow: GET", "allow: GET, HEAD", Difference(path="headers.allow", primary="GET", candidate="GET, HEAD")),
        ('etag: "1"', 'etag: W/"1"', Difference(path="headers.etag", primary='"1"', candidate='W/"1"')),
        ("retry-after: 1", "", Difference(path="headers.retry-after", primary="1", candidate_has=False)),
        ("", "www-authenticate: Basic",
         Difference(path="headers.www-authenticate", candidate="Basic", primary_has=False)),
        ("x-anything: 1", "x-anything: 2", Difference(path="headers.x-anything", primary="1", candidate="2")),
        ("x.y: 1", "", Difference(path='headers["x.y"]', primary="1", candidate_has=False)),
        ("set-cookie: a=1", "set-cookie: a=1; SameSite=lax",
         Difference(path="headers.set-cookie.a", primary="a=1", candidate="a=1; SameSite=lax")),
        ("set-cookie: a=1; Path=/A", "set-cookie: a=1; Path=/a",
         Difference(path="headers.set-cookie.a", primary="a=1; Path=/A", candidate="a=1; Path=/a")),
        ("set-cookie: a=1\nset-cookie: a=2", "set-cookie: a=2\nset-cookie: a=1",
         Difference(path="headers.set-cookie.a", primary="a=1, a=2", candidate="a=2, a=1")),
        ("set-cookie: a=1\nset-cookie: a=1", "set-cookie: a=1",
         Difference(path="headers.set-cookie.a", primary="a=1, a=1", candidate="a=1")),
        ("set-cookie: a=1", "", Difference(path="headers.set-cookie.a", primary="a=1", candidate_has=False)),
    ],
)  # fmt: skip
def test_a_header_that_a_client_can_tell_apart(primary: str, candidate: str, difference: Difference) -> None:
    def read(text: str) -> Headers:
        pairs = [line.partition(": ") for line in text.splitlines()]
        return tuple((name, value) for name, _, value in pairs)

    assert compare(seen(headers=read(primary)), seen(headers=read(candidate))).differences == (difference,)


def test_the_length_that_a_head_announces_is_no_difference() -> None:
    # Flask ends JSON with a newline.
    flask, fastapi = (seen(b"", headers=(*JSON, ("content-length", length))) for length in ("21", "20"))
    assert compare(flask, fastapi, method="HEAD") is MATCH
    assert compare(flask, seen(b""), method="HEAD") is MATCH
    # Of a raw app; the server leaves the body out.
    assert compare(with_length("21", b"{}"), with_length("2", b"{}"), method="HEAD") is MATCH


def with_length(length: str, body: bytes, status: int = 200) -> Observation:
    return seen(body, status=status, headers=(*JSON, ("content-length", length)))


def test_a_length_that_contradicts_its_own_body() -> None:
    told = Difference(path="headers.content-length", primary="7 for 7 bytes", candidate="27 for 7 bytes")
    assert compare(with_length("7", b'{"a":1}'), with_length("27", b'{"a":1}')).differences == (told,)
    assert places(compare(with_length("", b"{}"), seen(b"{}"))) == ["headers.content-length"]
    assert places(compare(with_length("9" * 5_000, b"{}"), seen(b"{}"))) == ["headers.content-length"]
    # A server that is told of a body and gets none cuts the connection.
    assert compare(with_length("5", b""), with_length("000", b"")).differences == (
        Difference(path="headers.content-length", primary="5 for 0 bytes", candidate="000 for 0 bytes"),
    )
    assert places(compare(with_length("", b""), seen(b""))) == ["headers.content-length"]
    # Each is right about its own.
    assert compare(with_length("7", b'{"a":1}'), with_length(" 008", b'{"a": 1}')) is MATCH
    # Both are wrong: no client got an answer from either.
    assert compare(with_length("1", b"{}"), with_length("3", b"{}")) is MATCH


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_may_say_any_length(status: int) -> None:
    assert compare(with_length("2", b"{}", status), with_length("27", b"{}", status)) is MATCH
    assert compare(with_length("2", b"", status), seen(b"", status=status)) is MATCH


@pytest.mark.parametrize("status", [204, 304])
def test_the_type_of_no_content_is_not_compared(status: int) -> None:
    flask = seen(b"", status=status, headers=(("content-type", "text/html; charset=utf-8"), ("x-a", "1")))
    assert compare(flask, seen(b"", status=status, headers=(("x-a", "1"),))) is MATCH
    assert places(compare(flask, seen(b"", status=status))) == ["headers.x-a"]
    assert places(compare(flask, seen(b"", status=200))) == ["status", "headers.content-type", "headers.x-a"]


def test_a_hostile_content_type_takes_no_time() -> None:
    started = time.perf_counter()
    hostile = seen(headers=(("content-type", 'a/b;"' + ";" * 64_000),))
    assert places(compare(hostile, seen())) == ["headers.content-type"]
    # About 5 s by a parser of headers.
    assert time.perf_counter() - started < 0.5
