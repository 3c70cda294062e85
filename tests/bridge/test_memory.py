"""What is uploaded and downloaded passes through: it doesn't stay in memory."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.cases import message
from tests.bridge.servers import bridge, pid
from tests.bridge.wire import TIMEOUT_SECONDS, parse
from tests.e2e.servers import HOST, Server

BLOCK = b"x" * 65_536
GROWTH_KIB = 64 * 1024


@pytest.fixture
def blocks(request: pytest.FixtureRequest) -> int:
    megabytes = 1024 if request.config.getoption("--big", default=False) else 200
    return megabytes * 2**20 // len(BLOCK)


@pytest.fixture(params=["httptools", "h11"])
def server(folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    with bridge(folder, request.param, max_body_bytes=2**31) as server:
        yield server


def test_an_upload_stays_on_disk(server: Server, blocks: int) -> None:
    before = _peak_kib(server)
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        length = b"Content-Length: %d" % (blocks * len(BLOCK))
        connection.sendall(message(b"POST", b"/raw/swallow", length))
        for _ in range(blocks):
            connection.sendall(BLOCK)
        reply = parse(b"".join(iter(lambda: connection.recv(65_536), b"")))
    assert reply.body == b"%d" % (blocks * len(BLOCK))
    assert _peak_kib(server) - before < GROWTH_KIB


def test_a_download_streams(server: Server, blocks: int) -> None:
    before = _peak_kib(server)
    received = 0
    with socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(message(b"GET", b"/raw/big?blocks=%d" % blocks))
        while data := connection.recv(2**20):
            received += len(data)
    assert received > blocks * len(BLOCK)
    assert _peak_kib(server) - before < GROWTH_KIB


def _peak_kib(server: Server) -> int:
    """The most that was resident at any time."""
    status = Path(f"/proc/{pid(server)}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])
