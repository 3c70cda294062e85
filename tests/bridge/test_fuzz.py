"""Random requests: the bridge answers as gunicorn does, and outlives clients that hang up anywhere.

`pytest tests/bridge/test_fuzz.py --fuzz-seconds 600` runs long; a failure names the seed.
"""

import random
import socket
import time

import pytest

from tests.bridge.fuzz import kept_alive
from tests.bridge.fuzz import request as draw_request
from tests.bridge.servers import figures
from tests.bridge.wire import TIMEOUT_SECONDS, Reply, differences, exchange, hang_up, parse_first, receive_all
from tests.e2e.servers import HOST, Server, ask, wait_for

FIRST = 60
"""So many at least, however slow the machine."""


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given: int | None = request.config.getoption("--seed", default=None)
    return random.SystemRandom().randrange(2**32) if given is None else given


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_random_requests(http: str, seed: int, under_gunicorn: Server, request: pytest.FixtureRequest) -> None:
    under_bridge: Server = request.getfixturevalue(f"under_{http}")
    until = time.monotonic() + request.config.getoption("--fuzz-seconds", default=4.0) / 2
    drawn = random.Random(seed)
    count = 0
    while count < FIRST or time.monotonic() < until:
        count += 1
        *first, last = [draw_request(drawn) for _ in range(drawn.choice([1, 1, 1, 4]))]
        # After an HTTP/1.0 request h11 takes no other, and answers 400 to both if they come at once.
        sent = [*(one.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1) for one in first), last]
        said = f"--seed {seed}, request {count}: {sent!r:.3000}"
        if drawn.random() < 0.2:
            _hang_up_within(under_bridge, b"".join([*map(kept_alive, sent[:-1]), sent[-1]]), drawn)
            continue
        for one, answer in zip(sent, _answers(under_bridge, sent), strict=False):
            expected = exchange(under_gunicorn.port, one)
            assert differences(*_pages_aside(expected, answer)) == {}, said
    assert ask(under_bridge.port, "GET", "/api/health")[0] == 200
    wait_for(lambda: figures(under_bridge)["threads_busy"] == 0, f"every thread is free again (--seed {seed})")


def _answers(server: Server, requests: list[bytes]) -> list[Reply]:
    """To all on one connection. An answer that is cut closes it, and the others have none."""
    received = receive_all(server.port, b"".join([*map(kept_alive, requests[:-1]), requests[-1]]))
    answers = []
    for request in requests:
        reply, received = parse_first(received, request)
        answers.append(reply)
        if not reply.complete:
            break
    assert received == b""
    return answers


def _hang_up_within(server: Server, sent: bytes, drawn: random.Random) -> None:
    """At any byte of the request, or of the answer."""
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        if drawn.random() < 0.5:
            connection.sendall(sent[: drawn.randrange(len(sent))])
        else:
            connection.sendall(sent)
            connection.recv(drawn.choice([1, 100, 100_000]))
        if drawn.random() < 0.5:
            hang_up(connection)


def _pages_aside(expected: Reply, answer: Reply) -> tuple[Reply, Reply]:
    """Each server has a page of its own for an app that failed, which is accepted; a 500 of the app's is not meant.
    gunicorn sends its page even in answer to HEAD."""
    both_failed = expected.status == answer.status == 500
    if both_failed and b"<html>" in expected.body and (b"content-length", b"21") in answer.headers:
        return Reply(), Reply()
    return expected, answer
