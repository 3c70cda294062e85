"""What the bridge's own protocol mends in uvicorn's, and what that costs who doesn't use it."""

import socket
from collections.abc import Iterator

import httptools
import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from fastapi_app.bridge.protocol import Protocol
from tests.bridge.cases import chunked, message, upgrading
from tests.bridge.servers import bridge
from tests.bridge.wire import TIMEOUT_SECONDS, Reply, exchange, parse_first
from tests.e2e.servers import HOST, Server

POST = message(b"POST", b"/flask/data", body=b"abc")
CHUNKED = chunked(b"POST", b"/flask/data", chunks=[b"01234", b"56789"])
LAST = message(b"GET", b"/flask/echo/last")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """uvicorn with the protocol that it takes by itself."""
    with bridge(tmp_path_factory.mktemp("plain"), "plain-httptools") as server:
        yield server


def kept_alive(request: bytes) -> bytes:
    return request.replace(b"Connection: Upgrade, close", b"Connection: Upgrade").replace(b"Connection: close\r\n", b"")


def replies(received: bytes, requests: list[bytes]) -> list[Reply]:
    found = []
    for request in requests:
        reply, received = parse_first(received, request)
        found.append(reply)
    assert received == b""
    return found


def send_in_pieces(port: int, data: bytes, size: int) -> bytes:
    with socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(data), size):
            connection.sendall(data[begin : begin + size])
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_follows_an_upgrade_that_is_not_served_is_answered(
    http: str, size: int, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(f"under_{http}")
    requests = [kept_alive(upgrading(each)) for each in (POST, CHUNKED, message(b"GET", b"/flask/echo/one"), POST)]
    requests.append(LAST)
    found = replies(send_in_pieces(server.port, b"".join(requests), size), requests)
    assert [reply.status for reply in found] == [200] * 5
    assert [b"abc" in found[0].body, b"0123456789" in found[1].body, b"abc" in found[3].body] == [True] * 3
    assert b"one" in found[2].body
    assert b"last" in found[4].body


def test_a_thousand_upgrades_at_once_are_a_thousand_requests(under_httptools: Server) -> None:
    requests = [kept_alive(upgrading(message(b"GET", b"/figures")))] * 1_500 + [LAST]
    found = replies(send_in_pieces(under_httptools.port, b"".join(requests), 200_000), requests)
    assert {reply.status for reply in found} == {200}


def test_an_upgrade_beside_a_body_of_no_known_end_is_refused(under_httptools: Server) -> None:
    request = upgrading(message(b"POST", b"/flask/data", b"Transfer-Encoding: gzip")) + b"abc"
    assert exchange(under_httptools.port, request).status == 400


@pytest.mark.parametrize("request_", [upgrading(POST), upgrading(CHUNKED)], ids=["length", "chunked"])
def test_under_plain_uvicorn_a_body_that_an_upgrade_cost_is_refused(plain: Server, request_: bytes) -> None:
    """And the connection closed: what follows may be the rest of the body."""
    found = replies(send_in_pieces(plain.port, kept_alive(request_) + LAST, 10_000), [request_])
    assert found[0].status == 400
    assert exchange(plain.port, upgrading(message(b"GET", b"/flask/echo"))).status == 200


def test_under_plain_uvicorn_trailers_and_http_1_0_are_as_the_notes_say(plain: Server) -> None:
    """Once this fails, uvicorn has mended them, and our protocol need not."""
    trailers = chunked(b"POST", b"/raw/one?key=HTTP_X_A", chunks=[b"abc"], trailers=(b"X-A: trailer",))
    assert exchange(plain.port, trailers).body == b"'trailer'"
    assert b"\r\n" in exchange(plain.port, message(b"GET", b"/flask/stream", version=b"HTTP/1.0")).body


async def test_uvicorn_has_what_the_protocol_leans_on() -> None:
    """Its privates: with one of them gone, a mend would be without effect or break each request."""
    config = uvicorn.Config(FastAPI(), http=Protocol, lifespan="off", log_config=None)
    config.load()
    assert config.http_protocol_class is Protocol
    for name in ("data_received", "on_headers_complete", "_start_asgi_task", "connection_lost"):
        assert name in vars(HttpToolsProtocol), name
    for name in ("_should_upgrade", "_unset_keepalive_if_required", "handle_websocket_upgrade", "send_400_response"):
        assert name in vars(HttpToolsProtocol), name
    protocol = Protocol(config, uvicorn.Server(config).server_state, {})
    assert {"parser", "cycle", "scope", "headers", "logger"} <= vars(protocol).keys()
    assert isinstance(protocol.parser, httptools.HttpRequestParser)
    cycle = RequestResponseCycle(
        scope={},  # type: ignore[typeddict-item]
        transport=None,  # type: ignore[arg-type]
        flow=None,  # type: ignore[arg-type]
        logger=protocol.logger,
        access_logger=protocol.access_logger,
        access_log=False,
        default_headers=[],
        message_event=None,  # type: ignore[arg-type]
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )
    used = {"more_body", "message_event", "disconnected", "response_complete", "chunked_encoding", "scope"}
    assert used | {"expected_content_length"} <= vars(cycle).keys()
