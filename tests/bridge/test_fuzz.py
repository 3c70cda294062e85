"""Random requests: the bridge answers as gunicorn does, and outlives clients that hang up anywhere.

`pytest tests/bridge/test_fuzz.py --fuzz-seconds 600` runs long; a failure names the seed.
"""

import random
import socket
import time

import pytest

from tests.bridge.fuzz import request as draw_request
from tests.bridge.servers import figures
from tests.bridge.wire import TIMEOUT_SECONDS, Reply, differences, exchange, hang_up
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
        sent = draw_request(drawn)
        count += 1
        if drawn.random() < 0.2:
            _hang_up_within(under_bridge, sent, drawn)
            continue
        expected = exchange(under_gunicorn.port, sent)
        answer = exchange(under_bridge.port, sent)
        assert differences(*_pages_aside(expected, answer)) == {}, f"--seed {seed}, request {count}: {sent[:2_000]!r}"
    assert ask(under_bridge.port, "GET", "/api/health")[0] == 200
    wait_for(lambda: figures(under_bridge)["threads_busy"] == 0, f"every thread is free again (--seed {seed})")


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
