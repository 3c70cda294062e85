"""Uploads under comparison, over a socket: an answer that needs no body comes before the body does, and the connection
goes on with the next request."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.bridge.wire import TIMEOUT_SECONDS
from tests.e2e.servers import HOST, Server, cutover_pair, wait_for

BODY = b"x" * 200_000
STATE = Path("var") / "cutover.sqlite3"
SETTINGS = {
    "TRADEWINDOW_CUTOVER__PURE": json.dumps(["POST /refused", "POST /taken"]),
    "TRADEWINDOW_CUTOVER__MODES": json.dumps(dict.fromkeys(("POST /refused", "POST /taken", "GET /ready"), "verify")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("early")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    pair = ("tests.e2e.early_pair:legacy", "tests.e2e.early_pair:native")
    with cutover_pair(*pair, SETTINGS, folder, ready_path="/ready") as server:
        server.start()
        yield server


def answer(connection: socket.socket, method: str = "POST") -> tuple[int, dict[str, object]]:
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return response.status, json.loads(response.read())


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("sent_before", [0, 100_000], ids=["nothing", "half"])
def test_who_is_refused_by_the_head_hears_it_before_the_body_is_sent(
    server: Server, framing: str, sent_before: int
) -> None:
    is_chunked = framing == "chunks"
    header = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(BODY)
    rest = len(BODY) - sent_before
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(b"POST /refused HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n")
        if sent_before:
            connection.sendall((b"%x\r\n" % sent_before if is_chunked else b"") + BODY[:sent_before])
        assert answer(connection) == (401, {"error": "no upload"})
        if is_chunked:
            end = b"\r\n" if sent_before else b""
            connection.sendall(end + b"%x\r\n" % rest + BODY[sent_before:] + b"\r\n0\r\n\r\n")
        else:
            connection.sendall(BODY[sent_before:])
        connection.sendall(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer(connection, "GET") == (200, {"ready": True})


def test_what_is_read_whole_is_compared(server: Server, folder: Path) -> None:
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(b"POST /taken HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        for start in range(0, len(BODY), 50_000):
            connection.sendall(BODY[start : start + 50_000])
        assert answer(connection) == (200, {"bytes": len(BODY)})
    store = SQLiteCutoverStore(folder / STATE)
    wait_for(
        lambda: [key.outcome for key in store.counts() if key.endpoint == "POST /taken"] == ["match"],
        "the comparison",
    )
    store.close()
