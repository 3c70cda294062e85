"""An exchange on loopback that speaks as Binance's spot API does, as far as ccxt asks, and fails when told to.

A new endpoint is one more line in HANDLERS; those of an account are in `tests.fakes.trading`. What it is asked is kept
in `requests`.
"""

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

from shared.candle import Candle

_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 1_440}


class Request(NamedTuple):
    """What came: `fields` are those of the query and of a form."""

    method: str
    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one request goes wrong. Without `status`, `drops` and `cuts` its only fault is that it takes long."""

    performs: bool = False
    delay_seconds: float = 0.0
    status: int | None = None
    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drops: bool = False
    cuts: bool = False


def slow(seconds: float) -> Fault:
    """Waits, then does what it is asked to, and answers."""
    return Fault(delay_seconds=seconds)


def failed(status: int = 503, *, code: int | None = None, **headers: str) -> Fault:
    """Answers with an error, which may have a code of the exchange's own, and does nothing. An underscore in a header's
    name stands for a dash."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Fault(status=status, code=code, headers=named)


def dropped() -> Fault:
    """Closes the connection, and does nothing."""
    return Fault(drops=True)


def cut() -> Fault:
    """Does what it is asked to, and closes the connection in the middle of the answer."""
    return Fault(performs=True, cuts=True)


def done_then(fault: Fault) -> Fault:
    """Does what it is asked to, and then goes wrong."""
    return replace(fault, performs=True)


class Refusal(Exception):
    """What a handler raises to answer with an error of the exchange's own."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        self.body = {"code": code, "msg": message}
        super().__init__(message)


class FakeExchange:
    """Quotes BTCUSD and ETHUSD, which have the same candles; those that opened by `now`. OLDUSD isn't traded any more.

    The last trade was at the newest candle's close; bid and ask lie 0.05 around it.
    """

    def __init__(self, candles: Sequence[Candle], now: datetime) -> None:
        self.candles = candles
        self.now = now
        self.url = ""
        self.requests: list[Request] = []
        self._faults: defaultdict[tuple[str | None, str], deque[Fault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def fail(self, path: str, *faults: Fault, method: str | None = None) -> None:
        """The next requests of that path, or those of one method, go wrong, one after the other."""
        with self._lock:
            self._faults[method, path].extend(faults)

    def recover(self) -> None:
        """No request goes wrong any more, and none has come."""
        with self._lock:
            self._faults.clear()
            self.requests.clear()

    def asked(self, path: str) -> list[Request]:
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def received(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            faults = self._faults[request.method, request.path] or self._faults[None, request.path]
            return faults.popleft() if faults else None

    def answer(self, request: Request) -> tuple[int, Any]:
        handler = HANDLERS.get((request.method, request.path))
        if handler is None:
            return 404, {"code": -1, "msg": f"the fake has no {request.method} {request.path}"}
        try:
            with self._lock:
                return 200, handler(self, request)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def opened(self) -> list[Candle]:
        return [candle for candle in self.candles if candle.timestamp <= self.now]


def _exchange_info(exchange: FakeExchange, _request: Request) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": milliseconds(exchange.now),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_listed("BTC", "TRADING"), _listed("ETH", "TRADING"), _listed("OLD", "BREAK")],
    }


def _listed(base: str, status: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}USD",
        "status": status,
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USD",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
            {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _ticker(exchange: FakeExchange, request: Request) -> Any:
    symbol, last = symbol_of(request), exchange.opened()[-1].close
    return {
        "symbol": symbol,
        "lastPrice": f"{last}.00000000",
        "bidPrice": f"{last - Decimal('0.05')}000000",
        "bidQty": "1.00000000",
        "askPrice": f"{last + Decimal('0.05')}000000",
        "askQty": "1.00000000",
        "volume": Exact("8913.30000000000000007"),
        "quoteVolume": "1",
        "openTime": milliseconds(exchange.now - timedelta(days=1)),
        "closeTime": milliseconds(exchange.now),
    }


def _depth(exchange: FakeExchange, request: Request) -> Any:
    symbol_of(request)
    last, limit = exchange.opened()[-1].close, int(request.fields.get("limit", "100"))
    steps = [Decimal(place).scaleb(-2) for place in range(5, 5 + limit)]
    return {
        "lastUpdateId": 1,
        "bids": [[str(last - step), f"{step}000001"] for step in steps],
        "asks": [[str(last + step), f"{step}000002"] for step in steps],
    }


def _klines(exchange: FakeExchange, request: Request) -> Any:
    symbol_of(request)
    minutes = _INTERVALS[request.fields["interval"]]
    start = int(request.fields.get("startTime", "0"))
    groups: dict[int, list[Candle]] = {}
    for candle in exchange.opened():
        opens = milliseconds(candle.timestamp) // (minutes * 60_000) * (minutes * 60_000)
        groups.setdefault(opens, []).append(candle)
    rows = [
        [
            opens,
            str(group[0].open),
            str(max(candle.high for candle in group)),
            str(min(candle.low for candle in group)),
            str(group[-1].close),
            str(sum(candle.volume for candle in group)),
            opens + minutes * 60_000 - 1,
            "0",
            1,
            "0",
            "0",
            "0",
        ]
        for opens, group in groups.items()
        if opens >= start
    ]
    return rows[: min(1_000, int(request.fields.get("limit", "500")))]


def symbol_of(request: Request) -> str:
    symbol = request.fields.get("symbol", "")
    if symbol not in {"BTCUSD", "ETHUSD"}:
        raise Refusal(400, -1121, "Invalid symbol.")
    return symbol


def milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


class Exact(str):
    """Digits that stand in the JSON as a number, which Binance doesn't do and other exchanges do."""

    __slots__ = ()


def _json(answer: Any) -> bytes:
    if isinstance(answer, dict):
        return (
            b"{" + b", ".join(json.dumps(key).encode() + b": " + _json(value) for key, value in answer.items()) + b"}"
        )
    return answer.encode() if isinstance(answer, Exact) else json.dumps(answer).encode()


HANDLERS: dict[tuple[str, str], Callable[[FakeExchange, Request], Any]] = {
    ("GET", "/api/v3/exchangeInfo"): _exchange_info,
    ("GET", "/api/v3/ticker/24hr"): _ticker,
    ("GET", "/api/v3/depth"): _depth,
    ("GET", "/api/v3/klines"): _klines,
}


_Served = TypeVar("_Served", bound=FakeExchange)


@contextmanager
def serving(exchange: _Served) -> Iterator[_Served]:
    """Serves the exchange at `exchange.url`."""
    with _Server(exchange) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        exchange.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield exchange
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        exchange = self.server.exchange
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        parts = urlsplit(self.path)
        fields = dict(parse_qsl(parts.query, keep_blank_values=True)) | dict(parse_qsl(body, keep_blank_values=True))
        request = Request(self.command, parts.path, fields, dict(self.headers.items()))
        fault = exchange.received(request) or Fault(performs=True)
        answer = exchange.answer(request) if fault.performs else None
        time.sleep(fault.delay_seconds)
        if fault.drops:
            self.close_connection = True
        elif fault.status is not None:
            told = {"msg": "out of order"} if fault.code is None else {"code": fault.code, "msg": "out of order"}
            self._send(fault.status, told, headers=fault.headers)
        else:
            self._send(*(answer or exchange.answer(request)), cuts=fault.cuts)

    do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815 - http.server calls them so

    def _send(self, status: int, answer: Any, *, headers: Mapping[str, str] | None = None, cuts: bool = False) -> None:
        body = _json(answer)
        with suppress(ConnectionError):  # a client that didn't wait
            self.send_response(status)
            for name, text in (headers or {}).items():
                self.send_header(name, text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cuts else body)
            self.close_connection = self.close_connection or cuts

    def log_message(self, *_arguments: Any) -> None:
        pass
