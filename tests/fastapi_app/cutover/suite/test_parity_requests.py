"""What the `parity` fixture makes of a request as a test writes it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from fastapi_app.cutover.suite.parity import Parities, Parity

CONTENT_TYPE = "text/plain"


def legacy(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}".encode("latin-1")]


async def native(scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"{scope['method']} {scope['path']}".encode()})


@pytest.fixture
def pair(parity: Parities) -> Parity:
    return parity(legacy=lambda: legacy, native=lambda: native)


@pytest.fixture
def made_before() -> Iterator[Parity]:
    """A pair of a test that is async, from outside of its loop."""
    with ExitStack() as stack:
        yield Parities(stack)(legacy=lambda: legacy, native=lambda: native)


def refusal(pair: Parity, target: str) -> str:
    with pytest.raises(ValueError, match=r"^the target ") as told:
        pair.request("GET", target)
    return str(told.value)


@pytest.mark.parametrize("target", ["x", "", "http://localhost/x", "?a=1"])
def test_a_target_that_is_no_path_is_refused(pair: Parity, target: str) -> None:
    assert refusal(pair, target) == (
        f"the target {target!r} doesn't begin with a slash: give path and query alone, such as /items?page=2"
    )


@pytest.mark.parametrize(
    ("target", "character", "encoded"),
    [
        ("/p/å b", "'å'", "%C3%A5"),
        ("/a b", "' '", "%20"),
        ("/a?q=\n", r"'\n'", "%0A"),
        ("/\x7f", r"'\x7f'", "%7F"),
        ("/\udcff", r"'\udcff'", "%5Cudcff"),
    ],
)
def test_a_target_that_is_not_percent_encoded_is_refused(
    pair: Parity, target: str, character: str, encoded: str
) -> None:
    assert refusal(pair, target) == (
        f"the target {target!r} holds {character}, which no request line can: percent-encode it as {encoded}, as "
        "urllib.parse.quote does"
    )


def test_a_target_that_is_percent_encoded_is_asked_for(pair: Parity) -> None:
    assert pair.request("GET", "/p/%C3%A5%20b?q=%0A#~!").body == "GET /p/å b".encode()


def test_a_method_counts_in_any_case(pair: Parity) -> None:
    assert pair.request("pOst", "/x").body == b"POST /x"


def test_json_and_a_body_at_once_are_refused(pair: Parity) -> None:
    with pytest.raises(ValueError, match=r"^json= and body= are given, and a request has one body: leave one of"):
        pair.request("POST", "/x", json={"a": 1}, body=json.dumps({"a": 1}))
    with pytest.raises(ValueError, match="json= and body="):
        pair.request("POST", "/x", json=1, body=b"")


def test_a_body_or_a_header_of_another_type_is_refused_by_its_name(pair: Parity) -> None:
    with pytest.raises(TypeError, match=r"^body=\{'a': 1\} is neither bytes nor text; json= takes"):
        pair.request("POST", "/x", body={"a": 1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^the header 'x-a' is 1, and text is needed: '1'$"):
        pair.request("GET", "/x", headers={"X-A": 1})  # type: ignore[arg-type]


SENTENCE = "^the fixture parity runs an event loop of its own: use it in a test that is `def`, not `async def`$"


async def test_an_async_test_is_told_in_a_sentence(parity: Parities) -> None:
    # A coroutine that nobody awaits would be a warning, and each warning is an error here.
    with pytest.raises(RuntimeError, match=SENTENCE):
        parity(legacy=lambda: legacy, native=lambda: native)


async def test_a_request_of_an_async_test_is_told_in_a_sentence(made_before: Parity) -> None:
    with pytest.raises(RuntimeError, match=SENTENCE):
        made_before.request("GET", "/x")
