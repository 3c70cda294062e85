"""An open-loop load: requests are due at times that are fixed in advance, whether or not those before are answered.

Run as a program it is the client: it reads its order from the command line and writes what came of it to its output.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from typing import cast

import uvloop
from httptools import HttpResponseParser

from tests.benchmarks.figures import percentile
from tests.benchmarks.load import CONNECTIONS, HOST, WrongAnswers
from tests.benchmarks.machine import pinned
from tests.benchmarks.rounds import rotated
from tests.benchmarks.servers import ROOT

_FIRST_AFTER_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0
"""How long the last answers may take once all requests are due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """GETs of one path, `rate` of them a second at equal distances, for so many seconds to each of the ports in turn,
    and that `turns` times, each time another one first."""

    ports: Sequence[int]
    path: str
    rate: float
    seconds: float
    turns: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenLoad:
    """Answers, and their times from when their requests were due; a request that finds no connection free waits for
    one in that time. `late_p99_ms` is what of it was the client's own delay."""

    requests: int
    p50_ms: float
    p99_ms: float
    late_p99_ms: float


def run_open_loop(order: Order, *, core: int | None) -> Mapping[int, Sequence[OpenLoad]]:
    """By port, a load for each turn. Raises WrongAnswers unless the client ran, and every request was answered 200 in
    time."""
    command = [sys.executable, "-m", "tests.benchmarks.open_loop", json.dumps(asdict(order))]
    timeout = len(order.ports) * order.turns * (order.seconds + _PATIENCE_SECONDS) + _PATIENCE_SECONDS
    ran = subprocess.run(pinned(command, core), cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    if ran.returncode:
        raise WrongAnswers(f"the open-loop client gave up: {ran.stderr.strip()[-2000:]}")
    loads = json.loads(ran.stdout)
    return {port: [OpenLoad(**load) for load in loads[str(port)]] for port in order.ports}


async def ask(order: Order) -> Mapping[int, Sequence[OpenLoad]]:
    """The load itself, in this process. Raises WrongAnswers."""
    loads: dict[int, list[OpenLoad]] = {port: [] for port in order.ports}
    with ExitStack() as connected:
        clients = {port: connected.enter_context(closing(_Client(order, port))) for port in order.ports}
        for client in clients.values():
            await client.connect()
        for turn in range(order.turns):
            for port in rotated(order.ports, turn):
                loads[port].append(await clients[port].ask_and_wait())
    return loads


class _Connection(asyncio.Protocol):
    """Kept alive; one request at a time."""

    def __init__(self, client: "_Client") -> None:
        self._client = client
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.problem = self._client.problem or f"a connection was lost: {exc!r}"

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def ask(self, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(self._client.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200:
            self._client.problem = f"an answer was {status}"
        self._client.seconds.append(time.perf_counter() - self._due)
        self._client.idle.append(self)


class _Client:
    """Of one port. Its connections are kept for all turns."""

    def __init__(self, order: Order, port: int) -> None:
        self._order = order
        self._port = port
        self.request = f"GET {order.path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode()
        self.idle: deque[_Connection] = deque()
        self.seconds: list[float] = []
        self.problem: str | None = None
        self._connections: list[_Connection] = []

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(lambda: _Connection(self), HOST, self._port)
            self._connections.append(connection)
        self.idle.extend(self._connections)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def ask_and_wait(self) -> OpenLoad:
        order = self._order
        total = round(order.rate * order.seconds)
        self.seconds.clear()
        late: list[float] = []
        asked = 0
        begin = time.perf_counter() + _FIRST_AFTER_SECONDS
        while len(self.seconds) < total:
            now = time.perf_counter()
            while self.idle and asked < total and (due := begin + asked / order.rate) <= now:
                self.idle.popleft().ask(due)
                late.append(now - due)
                asked += 1
            if now > begin + order.seconds + _PATIENCE_SECONDS:
                self.problem = self.problem or f"{total - len(self.seconds)} of {total} requests were not answered"
            if self.problem is not None:
                raise WrongAnswers(self.problem)
            # A timer of the loop counts milliseconds, which is what is to be measured.
            await asyncio.sleep(0)
        return OpenLoad(
            requests=total,
            p50_ms=percentile(self.seconds, 50) * 1e3,
            p99_ms=percentile(self.seconds, 99) * 1e3,
            late_p99_ms=percentile(late, 99) * 1e3,
        )


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    try:
        loads = uvloop.run(ask(order))
    except (WrongAnswers, OSError) as exc:
        sys.exit(str(exc))
    sys.stdout.write(json.dumps({port: [asdict(load) for load in each] for port, each in loads.items()}) + "\n")


if __name__ == "__main__":
    main()
