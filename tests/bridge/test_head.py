import pytest

from fastapi_app.bridge.head import Head, head_of


def head(status: str = "200 OK", *headers: tuple[str, str], is_head: bool = False) -> Head:
    return head_of(status, list(headers), is_head=is_head, max_bytes=100)


@pytest.mark.parametrize(("status", "code"), [("200", 200), ("200 ", 200), ("404 Not Here", 404), ("599 caf\xe9", 599)])
def test_a_status_needs_no_reason(status: str, code: int) -> None:
    assert head(status).status == code


@pytest.mark.parametrize("status", ["", "20", "2000 OK", "200OK", " 200", "100 Continue", "600 x", "200 \r\nX: y"])
def test_a_status_that_is_none_is_refused(status: str) -> None:
    with pytest.raises(ValueError, match="status"):
        head(status)


@pytest.mark.parametrize(
    "header",
    [
        ("", "x"),
        ("X Y", "x"),
        ("X:", "x"),
        ("X-\xe9", "x"),
        ("X\n", "x"),
        ("X", "a\nb"),
        ("X", "a\r"),
        ("X", "\0"),
        ("X", "\u20ac"),
        ("X", "\x7f"),
    ],
)
def test_a_header_that_would_break_the_message_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        head("200 OK", header)


@pytest.mark.parametrize("values", [["x"], ["-1"], ["1", "2"], ["1.0"], [""], ["1_0"], ["+5"], ["\u0665"]])
def test_a_length_that_is_none_is_refused(values: list[str]) -> None:
    with pytest.raises(ValueError, match=r"Content-Length|can't"):
        head("200 OK", *[("Content-Length", value) for value in values])


def test_a_length_said_twice_goes_out_once() -> None:
    found = head("200 OK", ("Content-Length", "5"), ("X", "x"), ("Content-Length", "05"))
    assert found.headers == [(b"content-length", b"5"), (b"x", b"x")]
    assert found.content_length == 5


def test_headers_over_the_limit_are_refused() -> None:
    with pytest.raises(ValueError, match="101 bytes, more than 100"):
        head("200 OK", ("X", "x" * 100))


def test_row_32_what_is_the_servers_own_is_dropped() -> None:
    own = [(name, "x") for name in ("Connection", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade", "Server", "Date")]
    assert head("200 OK", *own, ("X-Mine", " \ty ")).headers == [(b"x-mine", b"y")]


@pytest.mark.parametrize(
    ("status", "is_head", "bodiless"),
    [("200 OK", False, False), ("200 OK", True, True), ("204 x", False, True), ("304 x", False, True)],
)
def test_some_responses_have_no_body(status: str, bodiless: bool, is_head: bool) -> None:
    found = head(status, ("Content-Length", "4"), is_head=is_head)
    assert found.bodiless is bodiless
    assert found.content_length == (None if bodiless else 4)
    assert found.headers == ([] if status[0] != "2" or "204" in status else [(b"content-length", b"4")])
