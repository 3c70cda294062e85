"""Whatever a client sends: no 5xx, both sides alike, nothing counted, and the server answers on."""

import http.client
import json
import re
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from legacy_flask.app import create_app
from shared.ports import LivePorts
from shared.settings import load_settings
from shared.store.opening import open_store
from tests.e2e.malformed import REQUESTS_EACH, TEN_MB, Raw, asks_of, requests_to
from tests.e2e.recording import recorded_market
from tests.e2e.servers import (
    ALL_NATIVE,
    DEADLINE_SECONDS,
    HOST,
    NATIVE_ONLY,
    Server,
    ask,
    new_app,
    old_backend,
    settings,
)
from tests.e2e.state_file import read_books, read_everything
from tests.e2e.traders import PATH, TRADE
from tests.parity.endpoints import BOTH_SIDES

_SERVER_TIME = re.compile(rb'"server_time":"[^"]*"')


class Side(NamedTuple):
    """A server on a state of its own."""

    server: Server
    state: Path

    @property
    def port(self) -> int:
        return self.server.port


class Sides(NamedTuple):
    legacy: Side
    native: Side


class Reply(NamedTuple):
    status: int
    body: bytes


class Line:
    """A connection that takes requests byte by byte, and that the server must keep open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def send(self, raw: Raw) -> Reply:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), timeout=DEADLINE_SECONDS)
        self._socket.sendall(raw.to_bytes())
        with closing(http.client.HTTPResponse(self._socket)) as response:
            response.begin()
            reply = Reply(response.status, _SERVER_TIME.sub(b"", response.read()))
            assert raw.closes or not response.will_close
        if raw.closes:
            self.close()
        return reply

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Two servers of the new app, one with every endpoint on each side, on two copies of one state."""
    folders = [tmp_path_factory.mktemp(name) for name in ("legacy", "native")]
    states = [folder / "state.sqlite3" for folder in folders]
    market = recorded_market(folders[0])
    _make_state(states[0])
    shutil.copy(states[0], states[1])
    with (
        new_app(settings(states[0]) | market, folders[0]) as legacy,
        new_app(settings(states[1], modes=ALL_NATIVE) | market, folders[1]) as native,
    ):
        for server in (legacy, native):
            server.launch()
        for server in (legacy, native):
            server.wait_until_ready()
        yield Sides(Side(legacy, states[0]), Side(native, states[1]))
        for server in (legacy, native):
            assert server.terminate() == 0
            assert "Traceback" not in server.output
            assert "ERROR" not in server.output


@pytest.mark.parametrize("endpoint", [name for name in (*BOTH_SIDES, *NATIVE_ONLY) if asks_of(name)])
def test_malformed_requests_are_refused_alike_and_change_nothing(endpoint: str, sides: Sides) -> None:
    requests = requests_to(endpoint)
    assert len(requests) >= REQUESTS_EACH
    before = [read_everything(side.state) for side in sides]
    with closing(Line(sides.legacy.port)) as to_legacy, closing(Line(sides.native.port)) as to_native:
        for request in requests:
            legacy, native = to_legacy.send(request), to_native.send(request)
            assert (legacy.status, legacy) == (request.status, native), str(request)
        for line in (to_legacy, to_native):
            assert line.send(Raw(200, b"GET", b"/api/health")) == Reply(200, b'{"status":"healthy"}\n')
    for side in sides:
        assert ask(side.port, "GET", "/api/health") == (200, {"status": "healthy"})
    assert [read_everything(side.state) for side in sides] == before


TOO_LARGE = (413, {"error": "the body is larger than 1048576 bytes"})
NOT_JSON = (415, {"error": 'Content-Type: "text/plain" is not application/json'})


def test_ten_megabytes_get_their_answer_read_by_an_ordinary_client(sides: Sides, tmp_path: Path) -> None:
    with old_backend(settings(tmp_path / "state.sqlite3"), tmp_path, workers=1) as alone:
        alone.start()
        for port in (sides.legacy.port, sides.native.port, alone.port):
            with closing(http.client.HTTPConnection(HOST, port, timeout=DEADLINE_SECONDS)) as connection:
                # One connection for all, so that the server has to read each of them to its end.
                for _ in range(5):
                    for method, path in (("POST", PATH), ("PUT", "/api/trading-window/config")):
                        assert _sent(connection, method, path, b"x" * TEN_MB, "application/json") == TOO_LARGE
                        assert _sent(connection, method, path, b"x" * TEN_MB, "text/plain") == NOT_JSON
                    assert _sent(connection, "GET", "/api/health", None, "text/plain")[0] == 200


def test_ten_megabytes_of_unknown_length_are_too_large_too(sides: Sides, tmp_path: Path) -> None:
    """With a trade at their beginning: what a server reads of them before it stops would be one."""
    trade = json.dumps(TRADE).encode()
    with old_backend(settings(tmp_path / "state.sqlite3"), tmp_path, workers=1) as alone:
        alone.start()
        for port in (sides.native.port, alone.port):
            with closing(http.client.HTTPConnection(HOST, port, timeout=DEADLINE_SECONDS)) as connection:
                chunks = [trade, *[b" " * 100_000] * 100]
                assert _sent(connection, "POST", PATH, chunks, "application/json") == TOO_LARGE
        assert read_books(tmp_path / "state.sqlite3").rows == []


def test_a_body_that_is_cut_off_is_no_trade(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    trade = json.dumps(TRADE).encode()
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" % PATH.encode()
    cut = [head + b"Content-Length: %d\r\n\r\n" % (len(trade) + 9) + trade[:end] for end in (0, 9, len(trade))]
    # The trade is all there, and the mark of the end isn't.
    cut += [head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(trade), trade)]
    with (
        new_app(settings(state), tmp_path) as legacy,
        new_app(settings(state, modes=ALL_NATIVE), tmp_path) as native,
        old_backend(settings(state), tmp_path, workers=1) as alone,
    ):
        servers = (legacy, native, alone)
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_until_ready()
            for part in cut:
                for abort in (False, True):
                    _hang_up(server.port, part, abort=abort)
        for server in servers:
            # It finishes what it is at before it ends.
            assert server.terminate() == 0
            assert "Traceback" not in server.output
            assert "ERROR" not in server.output
    assert read_books(state).rows == []


def _make_state(path: Path) -> None:
    """With two of five trades."""
    seed = load_settings(environ=settings(path))
    with (
        closing(open_store(seed)) as store,
        create_app(seed, live_ports=LivePorts(store=store)).test_client() as client,
    ):
        for symbol in ("BTC-USD", "ETH-USD"):
            assert client.post(PATH, json=TRADE | {"symbol": symbol}).status_code == 201


def _sent(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | list[bytes] | None, content_type: str
) -> tuple[int, dict[str, str]]:
    connection.request(method, path, body, {"Content-Type": content_type})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def _hang_up(port: int, part: bytes, *, abort: bool) -> None:
    """Sends a part of a request and ends the connection: in order, then with what is answered, or by a reset."""
    with socket.create_connection((HOST, port), timeout=DEADLINE_SECONDS) as client:
        client.sendall(part)
        if abort:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(65_536)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
