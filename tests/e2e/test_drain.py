"""A server that is told to stop while clients are in the middle of a request that they never end."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.servers import ALL_NATIVE, ask, new_app, settings
from tests.e2e.state_file import read_books

HALF = (
    b"POST /api/trading-window/trades HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b'Content-Length: 100\r\n\r\n{"symbol"'
)


@pytest.mark.parametrize("modes", [{}, ALL_NATIVE], ids=["legacy", "native"])
def test_uploads_that_never_end_hold_up_neither_requests_nor_the_stop(tmp_path: Path, modes: dict[str, str]) -> None:
    state = tmp_path / "state.sqlite3"
    environ = settings(state, modes=modes, TRADEWINDOW_SERVER__DRAIN_TIMEOUT_SECONDS="1")
    with new_app(environ, tmp_path) as server, ExitStack() as clients:
        server.start()
        begun = [clients.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(12)]
        for client in begun:
            client.sendall(HALF)
        assert ask(server.port, "GET", "/api/health") == (200, {"status": "healthy"})

        assert server.interrupt() == 0

        for client in begun:
            client.settimeout(10)
            answer = client.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert answer.endswith(b'{"error":"the server is shutting down"}\n')
        assert "Traceback" not in server.output
    assert read_books(state).rows == []
