"""A crowd that hangs up and trickles leaves a pool of four threads answering."""

import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.bridge.cases import message
from tests.bridge.servers import bridge, figures
from tests.bridge.wire import TIMEOUT_SECONDS, hang_up
from tests.e2e.servers import HOST, ask, wait_for

CROWD = 200
ASKED = 30
PAUSE_SECONDS = 0.1
SLOWEST_SECONDS = 1.0
"""On an idle machine it is some milliseconds; where a thread is lost it is for ever."""


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_flask_and_native_routes_answer(http: str, folder: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(bridge(folder, http, threads=4))
        head = message(b"POST", b"/flask/data", b"Content-Length: 1000")

        def client(request: bytes) -> socket.socket:
            address = (HOST, server.port)
            connection = stack.enter_context(socket.create_connection(address, timeout=TIMEOUT_SECONDS))
            connection.sendall(request)
            return connection

        uploads = [client(head) for _ in range(CROWD)]
        over = threading.Event()

        def trickle() -> None:
            while not over.wait(1.0):
                for upload in uploads:
                    with suppress(OSError):
                        upload.sendall(b"x")

        trickling = threading.Thread(target=trickle)
        trickling.start()
        stack.callback(trickling.join)
        stack.callback(over.set)
        took = []
        for number in range(ASKED):
            # A part of the crowd each time, gone in the middle of its download.
            for each in range(CROWD // ASKED + 1):
                download = client(message(b"GET", b"/raw/endless?name=%d-%d&pause=0.001" % (number, each)))
                download.recv(1)
                hang_up(download)
            began = time.monotonic()
            assert ask(server.port, "GET", "/api/health" if number % 2 else "/figures")[0] == 200
            took.append(time.monotonic() - began)
            time.sleep(max(PAUSE_SECONDS - took[-1], 0))
        assert max(took) < SLOWEST_SECONDS
        over.set()
        for upload in uploads:
            hang_up(upload)
        wait_for(lambda: figures(server)["threads_busy"] == 0, "every thread is free")
        began = time.monotonic()
        server.terminate()
        assert time.monotonic() - began < TIMEOUT_SECONDS
