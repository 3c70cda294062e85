"""Rows 13 to 18 on real servers: clients that leave, hang or trickle, full pools and shutdowns never cost a thread."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.cases import message
from tests.bridge.servers import GRACEFUL_SECONDS, bridge, events, figures, gunicorn, open_gate
from tests.bridge.wire import TIMEOUT_SECONDS, Reply, exchange, hang_up, parse
from tests.e2e.servers import HOST, Server, ask, wait_for

POOL = 4
CLIENTS = 40
SECONDS_TO_END = 10.0
"""Far above graceful and drain time together, far below for ever."""

Start = Callable[..., Server]


@pytest.fixture(params=["httptools", "h11"])
def http(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(folder: Path, http: str) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(**options: Any) -> Server:
            return stack.enter_context(bridge(folder, http, threads=POOL, **options))

        yield started


@contextmanager
def connected(server: Server, request: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        yield connection


def endless(name: str, **query: float) -> bytes:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return message(b"GET", f"/raw/endless?name={name}{more}".encode())


def stuck(name: str) -> bytes:
    return message(b"GET", f"/raw/stuck?name={name}".encode())


def rest_of(connection: socket.socket) -> Reply:
    received = b""
    while data := connection.recv(65536):
        received += data
    return parse(received)


def assert_nothing_runs(server: Server) -> None:
    wait_for(lambda: figures(server)["threads_busy"] == 0, "no thread is busy")
    wait_for(lambda: figures(server)["queue_length"] == 0, "nothing waits for a thread")


def assert_answers(server: Server) -> None:
    assert ask(server.port, "GET", "/api/health")[0] == 200


def test_row_15_a_client_that_leaves_closes_the_generator(start: Start) -> None:
    server = start()
    for number in range(3 * POOL):
        with connected(server, endless(f"e{number}")) as connection:
            assert connection.recv(100)
            hang_up(connection)
    wait_for(lambda: len(events(server)) >= 2 * 3 * POOL, "every generator is closed")
    assert set(events(server)) == {f"e{n} {how}" for n in range(3 * POOL) for how in ("GeneratorExit", "closed")}
    assert_nothing_runs(server)
    assert figures(server)["abandoned"] == 0


def test_row_15_gunicorn_closes_it_too(folder: Path) -> None:
    with gunicorn(folder) as server:
        with connected(server, endless("e")) as connection:
            assert connection.recv(100)
            hang_up(connection)
        wait_for(lambda: events(server) == ["e GeneratorExit", "e closed"], "the generator is closed")


def test_row_13_clients_that_stop_reading_and_leave_free_their_threads(start: Start) -> None:
    """They leave with more under way than any buffer holds: the thread is blocked on room for the next chunk."""
    server = start()
    for number in range(3):
        with ExitStack() as stack:
            clients = [
                stack.enter_context(connected(server, endless(f"e{number}-{client}", size=200_000, pause=0)))
                for client in range(POOL)
            ]
            wait_for(lambda: figures(server)["threads_busy"] == POOL, "all threads are busy")
            for client in clients:
                hang_up(client)
        assert_nothing_runs(server)
        assert_answers(server)
    assert figures(server)["abandoned"] == 0


def test_back_pressure_reaches_the_generator(start: Start) -> None:
    """A client that doesn't read holds the generator up: it doesn't get far, and gets on when the client reads."""
    server = start()
    count, size = 2000, 100_000
    with connected(server, endless("e", size=size, count=count, pause=0)) as connection:
        connection.recv(1)
        wait_for(lambda: figures(server)["threads_busy"] == 1, "the thread is busy")
        # What a socket and uvicorn hold is some megabytes; of 200 MB the rest is still to come.
        time.sleep(0.3)
        assert "e complete" not in events(server)
        received = 1
        while data := connection.recv(2**20):
            received += len(data)
    assert received > count * size
    wait_for(lambda: "e complete" in events(server), "the generator is at its end")


def test_row_16_a_cancelled_request_frees_its_thread(folder: Path, http: str) -> None:
    """uvicorn cancels what runs on when its own patience at shutdown is at an end."""
    with bridge(folder, http, threads=POOL, drain_timeout_seconds=30) as server:
        with connected(server, endless("e")) as connection:
            assert connection.recv(100)
            began = time.monotonic()
            server.terminate()
            # The drain found nothing to wait for.
            assert time.monotonic() - began < SECONDS_TO_END
        assert "abandoned" not in server.output


def test_row_17_slow_uploads_hold_no_thread(start: Start) -> None:
    server = start()
    head = message(b"POST", b"/flask/data", b"Content-Length: 1000")
    with ExitStack() as stack:
        uploads = [stack.enter_context(connected(server, head)) for _ in range(CLIENTS)]
        for _ in range(5):
            for upload in uploads:
                upload.sendall(b"x")
            assert_answers(server)
            assert_nothing_runs(server)
        hang_up(uploads.pop())
        for upload in uploads:
            upload.sendall(b"x" * 995)
        assert {rest_of(upload).status for upload in uploads} == {200}


def test_a_crowd_that_leaves_and_trickles_holds_nobody_up(start: Start) -> None:
    server = start()
    head = message(b"POST", b"/flask/data", b"Content-Length: 1000")
    with ExitStack() as stack:
        uploads = [stack.enter_context(connected(server, head)) for _ in range(CLIENTS)]
        downloads = [stack.enter_context(connected(server, endless(f"e{n}", pause=0.001))) for n in range(CLIENTS)]
        for upload in uploads:
            upload.sendall(b"x")
        for download in downloads:
            hang_up(download)
        assert_answers(server)
    assert_nothing_runs(server)
    assert_answers(server)


def test_a_stuck_request_whose_client_left_is_reported(start: Start) -> None:
    server = start(watch_after_seconds=0.05, abandon_after_seconds=0.1)
    with connected(server, stuck("s")) as connection:
        wait_for(lambda: "s began" in events(server), "the request is stuck")
        hang_up(connection)
    wait_for(lambda: figures(server)["abandoned"] == 1, "it is counted")
    assert "GET /raw/stuck is abandoned: its client left" in server.output
    open_gate(server, "s")
    assert_nothing_runs(server)
    assert figures(server)["abandoned"] == 1


def test_a_read_after_the_client_left_raises(start: Start) -> None:
    server = start(watch_after_seconds=0.05, abandon_after_seconds=0.1)
    with connected(server, message(b"POST", b"/raw/reads-late?name=r", body=b"body")) as connection:
        wait_for(lambda: "r began" in events(server), "the request has begun")
        hang_up(connection)
    # The report says that the bridge has noticed.
    wait_for(lambda: figures(server)["abandoned"] == 1, "it is counted")
    open_gate(server, "r")
    wait_for(lambda: "r ClientLeftError" in events(server), "the read raised")
    assert_nothing_runs(server)


def test_a_full_pool_answers_503(start: Start) -> None:
    server = start(max_queued=3, retry_after_seconds=1.5, watch_after_seconds=0.05)
    with ExitStack() as stack:
        running = [stack.enter_context(connected(server, stuck("s"))) for _ in range(POOL)]
        wait_for(lambda: figures(server)["threads_busy"] == POOL, "all threads are busy")
        waiting = [stack.enter_context(connected(server, stuck("s"))) for _ in range(3)]
        wait_for(lambda: figures(server)["queue_length"] == 3, "three wait")
        refused = exchange(server.port, message(b"POST", b"/flask/data", body=b"x"))
        assert refused.status == 503
        assert dict(refused.headers)[b"retry-after"] == b"2"
        found = figures(server)
        assert (found["threads_busy"], found["queue_length"], found["refused"]) == (POOL, 3, 1)
        # One that waits leaves, and another has its place.
        hang_up(waiting.pop())
        wait_for(lambda: figures(server)["queue_length"] == 2, "two wait")
        waiting.append(stack.enter_context(connected(server, stuck("s"))))
        wait_for(lambda: figures(server)["queue_length"] == 3, "three wait again")
        for client in running:
            hang_up(client)
    # The process ends although they never do.
    began = time.monotonic()
    server.terminate()
    assert time.monotonic() - began < SECONDS_TO_END


def test_those_that_wait_are_served_in_turn_and_counted(start: Start) -> None:
    server = start(max_queued=10)
    before = figures(server)
    names = [f"s{number}" for number in range(2 * POOL)]
    with ExitStack() as stack:
        clients = []
        for number, name in enumerate(names):
            clients.append(stack.enter_context(connected(server, stuck(name))))
            waiting = max(number + 1 - POOL, 0)
            wait_for(lambda n=waiting: figures(server)["queue_length"] == n, f"{waiting} wait")  # type: ignore[misc]
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began >= 0.1, "they have waited")
        for number, name in enumerate(names):
            begun = [each for each in names if f"{each} began" in events(server)]
            assert begun == names[: number + POOL]
            open_gate(server, name)
            assert rest_of(clients[number]).body == b"at last"
            following = names[number + POOL : number + POOL + 1]
            wait_for(lambda f=following: {f"{n} began" for n in f} <= set(events(server)), "the next begins")  # type: ignore[misc]
    assert_nothing_runs(server)
    after = figures(server)
    assert after["requests"] - before["requests"] == len(names)
    assert (after["refused"], after["abandoned"]) == (0, 0)
    assert 0.1 <= after["queue_seconds_max"] < after["queue_seconds_total"]
    assert after["queue_seconds_total"] >= 0.1 * POOL


@pytest.mark.parametrize("client_stays", [True, False])
def test_rows_14_and_18_the_process_ends_although_a_request_never_does(
    folder: Path, http: str, *, client_stays: bool
) -> None:
    drain_seconds = 0.5
    with bridge(folder, http, threads=POOL, drain_timeout_seconds=drain_seconds, watch_after_seconds=0.05) as server:
        with connected(server, stuck("s")) as connection:
            wait_for(lambda: "s began" in events(server), "the request is stuck")
            if not client_stays:
                hang_up(connection)
            began = time.monotonic()
            # uvicorn raises the signal anew once it is done.
            assert server.terminate() == -signal.SIGTERM
            took = time.monotonic() - began
        assert drain_seconds <= took < GRACEFUL_SECONDS + drain_seconds + SECONDS_TO_END
        assert "GET /raw/stuck is abandoned" in server.output


@pytest.mark.parametrize("in_time", [True, False])
def test_row_18_shutdown_waits_for_what_runs_behind_an_answer(folder: Path, http: str, *, in_time: bool) -> None:
    """No connection waits for it, so the server's own patience does not count."""
    drain_seconds = 30 if in_time else 0
    with bridge(folder, http, threads=POOL, drain_timeout_seconds=drain_seconds) as server:
        reply = exchange(server.port, message(b"GET", b"/raw/slow-close?name=c&seconds=2"))
        assert reply.body == b"done"
        assert "c closing" in events(server)
        began = time.monotonic()
        server.terminate()
        assert time.monotonic() - began < SECONDS_TO_END
        assert ("c closed at last" in server.output) is in_time
        assert ("GET /raw/slow-close is abandoned: the drain time is over" in server.output) is not in_time


def test_work_behind_an_answer_that_does_not_end_is_reported(start: Start) -> None:
    server = start(abandon_after_seconds=0.1)
    assert exchange(server.port, message(b"GET", b"/raw/slow-close?name=c")).body == b"done"
    wait_for(lambda: figures(server)["abandoned"] == 1, "it is counted")
    assert "GET /raw/slow-close is abandoned: its answer is out" in server.output
    open_gate(server, "c")
    assert_nothing_runs(server)


def test_clients_that_stay_and_do_not_read_free_their_threads(start: Start) -> None:
    server = start(send_timeout_seconds=0.3)
    before = figures(server)["requests"]
    with ExitStack() as stack:
        for number in range(2 * POOL):
            stack.enter_context(connected(server, endless(f"e{number}", size=200_000, pause=0)))
        wait_for(lambda: figures(server)["requests"] == before + 2 * POOL, "each has had a thread")
        assert_nothing_runs(server)
        assert_answers(server)
    assert "its client took nothing for 0.3 s" in server.output
    assert figures(server)["abandoned"] == 0


def test_a_client_that_leaves_with_another_request_behind_is_noticed(start: Start) -> None:
    server = start(watch_after_seconds=0.05, abandon_after_seconds=0.1)
    for number in range(POOL):
        ahead = stuck(f"s{number}").replace(b"Connection: close\r\n", b"")
        with connected(server, ahead + message(b"GET", b"/flask/echo")) as connection:
            wait_for(lambda n=number: f"s{n} began" in events(server), "it is stuck")  # type: ignore[misc]
            hang_up(connection)
    wait_for(lambda: figures(server)["abandoned"] == POOL, "each is reported")
    for number in range(POOL):
        open_gate(server, f"s{number}")
    assert_nothing_runs(server)
    assert_answers(server)
    assert "Traceback" not in server.output


def test_bodies_past_the_files_that_may_be_are_refused(start: Start) -> None:
    server = start(max_body_files=1, body_memory_bytes=1_000)
    large = message(b"POST", b"/flask/data", body=b"x" * 100_000)
    with connected(server, large[:-1]) as first:
        wait_for(lambda: exchange(server.port, large).status == 503, "the only file is taken")
        assert exchange(server.port, message(b"POST", b"/flask/data", body=b"x" * 1_000)).status == 200
        first.sendall(b"x")
        assert rest_of(first).status == 200
    wait_for(lambda: exchange(server.port, large).status == 200, "the file is free")


def test_a_body_over_the_limit_is_refused(start: Start) -> None:
    server = start(max_body_bytes=100_000)
    announced = exchange(server.port, message(b"POST", b"/flask/data", body=b"x" * 5_000_000))
    assert (announced.status, announced.complete) == (413, True)
    growing = b"%x\r\n%s\r\n" % (60_000, b"x" * 60_000)
    head = message(b"POST", b"/flask/data", b"Transfer-Encoding: chunked")
    chunked = exchange(server.port, head + growing * 20 + b"0\r\n\r\n")
    assert (chunked.status, chunked.complete) == (413, True)
    waiting = message(b"POST", b"/flask/data", b"Expect: 100-continue", b"Content-Length: 5000000")
    asked = exchange(server.port, waiting)
    assert (asked.status, asked.interim) == (413, ())
    # A chunked one says nothing of its size: this client is told to go on, and is answered while it still sends.
    told = exchange(server.port, head.replace(b"Host", b"Expect: 100-continue\r\nHost") + growing * 80 + b"0\r\n\r\n")
    assert (told.status, told.complete, told.interim) == (413, True, (100,))
    just = exchange(server.port, message(b"POST", b"/flask/data", body=b"x" * 100_000))
    assert just.status == 200
    assert_nothing_runs(server)


def test_headers_over_the_limit_are_refused(start: Start) -> None:
    server = start(max_header_bytes=2_000)
    assert exchange(server.port, message(b"GET", b"/flask/echo", b"X-A: " + b"a" * 3_000)).status == 431
    assert exchange(server.port, message(b"GET", b"/flask/echo", b"X-A: " + b"a" * 1_000)).status == 200


def test_a_response_over_the_limit_is_cut(start: Start) -> None:
    server = start(max_response_bytes=10_000)
    cut = exchange(server.port, endless("e", size=4_000, pause=0))
    assert (cut.status, cut.complete) == (200, False)
    assert len(cut.body) <= 10_000
    assert exchange(server.port, endless("f", size=20_000, pause=0)).status == 500
    wait_for(lambda: {"e closed", "f closed"} <= set(events(server)), "the generators are closed")


def test_events_arrive_as_they_are_yielded(start: Start) -> None:
    server = start()
    with connected(server, endless("e", size=5, count=3, pause=0.2)) as connection:
        received = b""
        while b"xxxxx" not in received:
            received += connection.recv(65536)
        assert received.count(b"xxxxx") == 1
        assert "e complete" not in events(server)
        assert rest_of_body(connection).count(b"xxxxx") == 2


def rest_of_body(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_what_the_app_logs_reaches_the_log(start: Start) -> None:
    server = start()
    assert ask(server.port, "GET", "/flask/log") == (200, "logged")
    # Flask's own handler writes to wsgi.errors, and from the thread it sees what ASGI's side has set.
    wait_for(lambda: "said by hello" in server.output, "the app's line is logged")
    wait_for(lambda: "wsgi.errors ERROR said without an end" in server.output, "what it began is logged, too")
