"""Requests one behind the other on one connection: none leaves anything over for the next."""

import http.client

import pytest

from tests.bridge.wire import TIMEOUT_SECONDS
from tests.e2e.servers import HOST, Server

REQUESTS = [
    ("HEAD", "/flask/page", None, 200),
    ("GET", "/raw/204-with-body", None, 204),
    ("GET", "/raw/304-with-length", None, 304),
    ("HEAD", "/raw/too-long", None, 200),
    ("GET", "/raw/too-long-chunks", None, 200),
    ("GET", "/raw/not-empty", None, 200),
    ("GET", "/raw/many", None, 200),
    ("GET", "/raw/fails-before", None, 500),
    ("GET", "/raw/bad-header", None, 500),
    ("POST", "/flask/refused", b"z" * 2_000_000, 413),
    ("POST", "/raw/unread", b"z" * 100_000, 200),
    ("GET", "/raw/closes", None, 200),
]


@pytest.mark.parametrize("http_", ["httptools", "h11"])
def test_each_answer_is_that_of_its_request(http_: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(f"under_{http_}")
    connection = http.client.HTTPConnection(HOST, server.port, timeout=TIMEOUT_SECONDS)
    connection.connect()
    first = connection.sock
    for method, path, body, status in REQUESTS * 2:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        response.read()
        assert (path, response.status) == (path, status)
        connection.request("GET", "/flask/echo/between?path=" + path)
        between = connection.getresponse()
        assert (path, between.status) == (path, 200)
        assert f'"path={path}"'.encode() in between.read()
        assert connection.sock is first
    connection.close()
