"""Clients in threads of their own: each trades over one kept-alive connection, as fast as it is answered."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.clock import utc_text
from tests.e2e.servers import DEADLINE_SECONDS, HOST, wait_for

PATH = "/api/trading-window/trades"
TRADE = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.10", "price": "64000.5", "strategy": "rsi"}

_BODY = json.dumps(TRADE)
_PAUSE_SECONDS = 0.05


class Answer(NamedTuple):
    status: int
    side: str | None
    body: dict[str, Any]


class Client:
    """Posts trades on a connection that it keeps. Raises OSError or HTTPException when that breaks."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_SECONDS)

    def post_trade(self, key: str | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
        self._connection.request("POST", PATH, _BODY, headers)
        response = self._connection.getresponse()
        return Answer(response.status, response.headers["X-Cutover-Side"], json.loads(response.read()))

    def close(self) -> None:
        """The next post opens a new connection."""
        self._connection.close()


class Trader(threading.Thread):
    """Trades with a new key each time until told to stop; after a broken connection it asks again with the same key."""

    def __init__(self, port: int, *, stopping: threading.Event, gentle: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.unexpected: list[Answer] = []
        self.broken_connections = 0
        self.found_again = 0
        """How many trades were in the ledger already when their acknowledgement came: it was lost on the way before."""
        self._stopping = stopping
        self._gentle = gentle

    def run(self) -> None:
        client = Client(self.port)
        while not self._stopping.is_set():
            self._trade(client, str(uuid.uuid4()))
            if self._gentle.is_set():
                self._stopping.wait(_PAUSE_SECONDS)
        client.close()

    def _trade(self, client: Client, key: str) -> None:
        """Comes back with an answer: also one that is told to stop must know what became of its trade."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            asked_at = utc_text(datetime.now(UTC))
            try:
                answer = client.post_trade(key)
            except (OSError, http.client.HTTPException):
                client.close()
                self.broken_connections += 1
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                if answer.status == 201:
                    self.acknowledged[key] = answer.body
                    self.found_again += answer.body["trade"]["executed_at"] < asked_at
                else:
                    self.unexpected.append(answer)
                return
        self.unexpected.append(Answer(0, None, {"error": f"no answer within {DEADLINE_SECONDS:.0f} s"}))


class Crowd:
    """Many traders."""

    def __init__(self, ports: Sequence[int], *, traders_each: int) -> None:
        self.stopping = threading.Event()
        self.gentle = threading.Event()
        """While set, traders pause between trades, for servers that start to have some of the machine, too."""
        self.traders = [
            Trader(port, stopping=self.stopping, gentle=self.gentle) for port in ports for _ in range(traders_each)
        ]

    @property
    def acknowledged(self) -> dict[str, dict[str, Any]]:
        return {key: body for trader in self.traders for key, body in list(trader.acknowledged.items())}

    @property
    def unexpected(self) -> list[Answer]:
        return [answer for trader in self.traders for answer in trader.unexpected]

    def wait_for_trades(self, port: int, *, each: int = 1) -> None:
        """Until every trader of this port has so many more trades acknowledged."""
        goals = {trader: len(trader.acknowledged) + each for trader in self.traders if trader.port == port}
        wait_for(
            lambda: self.unexpected or all(len(trader.acknowledged) >= goal for trader, goal in goals.items()),
            f"each trader on port {port} gets {each} trades",
        )
        assert self.unexpected == []

    def stop(self) -> None:
        """Each trader ends once the trade that it is at is answered; so the servers must be up."""
        self.stopping.set()
        for trader in self.traders:
            trader.join(2 * DEADLINE_SECONDS)
            assert not trader.is_alive()
        assert self.unexpected == []


@contextmanager
def trading(ports: Sequence[int], *, traders_each: int) -> Iterator[Crowd]:
    """A crowd at work. The test stops it; if the test fails, it is told to stop."""
    crowd = Crowd(ports, traders_each=traders_each)
    for trader in crowd.traders:
        trader.start()
    try:
        yield crowd
    finally:
        crowd.stopping.set()
