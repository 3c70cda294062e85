"""200 clients that hang up in the middle of a download, and 200 that trickle an upload a byte a second: a pool of four
threads answers, Flask's routes and native ones."""

import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.bridge.cases import message
from tests.bridge.servers import GRACEFUL_SECONDS, bridge, events, figures
from tests.bridge.wire import TIMEOUT_SECONDS, hang_up
from tests.e2e.servers import HOST, ask, wait_for

POOL = 4
CROWD = 200
PROBES = 100
PAUSE_SECONDS = 0.1
DRAIN_SECONDS = 2.0
P99_SECONDS = 1.0
"""What is asserted, for a machine that does much else; the aim is 0.1, and what was measured is printed. Where threads
are lost it is for ever."""


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_flask_and_native_routes_answer(http: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(bridge(folder, http, threads=POOL, drain_timeout_seconds=DRAIN_SECONDS))
        head = message(b"POST", b"/flask/data", b"Content-Length: 1000")
        over = threading.Event()
        hung_up: list[int] = []

        def client(request: bytes) -> socket.socket:
            connection = socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS)
            connection.sendall(request)
            return connection

        def trickle() -> None:
            while not over.wait(1.0):
                for upload in uploads:
                    with suppress(OSError):
                        upload.sendall(b"x")

        def hang_up_midway() -> None:
            for number in range(CROWD):
                download = client(message(b"GET", b"/raw/endless?name=d%d&pause=0.001" % number))
                download.recv(1)
                hang_up(download)
                hung_up.append(number)
                over.wait(PROBES * PAUSE_SECONDS / CROWD)

        uploads = [stack.enter_context(client(head)) for _ in range(CROWD)]
        for target in (trickle, hang_up_midway):
            thread = threading.Thread(target=target)
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)

        took: dict[str, list[float]] = {"/flask/echo": [], "/native": []}
        began = time.monotonic()
        for number in range(PROBES):
            path = list(took)[number % 2]
            time.sleep(max(began + number * PAUSE_SECONDS - time.monotonic(), 0))
            asked = time.monotonic()
            assert ask(server.port, "GET", path)[0] == 200
            took[path].append(time.monotonic() - asked)
        p99s = {path: sorted(times)[int(len(times) * 0.99)] for path, times in took.items()}
        with capsys.disabled():
            print(f"\n{http}: p99", ", ".join(f"{path} {1000 * p99:.1f} ms" for path, p99 in p99s.items()))  # noqa: T201

        wait_for(lambda: len(hung_up) == CROWD, "all have hung up")
        wait_for(lambda: figures(server)["threads_busy"] == 0, "every thread is free")
        wait_for(lambda: len(set(events(server))) == 2 * CROWD, "every generator is closed")
        found = figures(server)
        assert (found["queue_length"], found["refused"], found["abandoned"]) == (0, 0, 0)
        # All threads are there: so many requests at once have one each.
        gates = [stack.enter_context(client(message(b"GET", b"/raw/stuck?name=s"))) for _ in range(POOL)]
        wait_for(lambda: figures(server)["threads_busy"] == len(gates), "each thread can work")
        assert ask(server.port, "POST", "/gates/s")[0] == 200
        assert max(p99s.values()) < P99_SECONDS
        # The uploads go on: they have as long as the server is patient.
        began = time.monotonic()
        server.terminate()
        stopped = time.monotonic() - began
        with capsys.disabled():
            print(f"{http}: stopped in {stopped:.1f} s")  # noqa: T201
        assert stopped < GRACEFUL_SECONDS + DRAIN_SECONDS + P99_SECONDS
