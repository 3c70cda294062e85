"""The words in which a parity case is written: what is there, what is sent, what must come back, what must be left."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.window import LedgerEntry, Tally, Trade

JSON = "application/json"
HTML = "text/html; charset=utf-8"
HOST = "bot.example"

TRADE = '{"symbol":"BTC-USD","side":"buy","quantity":"0.50","price":"64250.10"}'
"""A body for `POST trades`; `trade_of` without options is what it makes."""

CONFIG_KEYS = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """As it goes over the wire. `claimed` says that an endpoint of the inventory answers it, and not Flask's own
    404, 405, redirect or OPTIONS, which are legacy's in every mode."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    claimed: bool = True

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Everything of an answer that a client can see, but for the side's name. `allow` has no order."""

    status: int
    body: bytes
    content_type: str | None = JSON
    content_length: str | None
    location: str | None = None
    allow: frozenset[str] | None = None
    other_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class At:
    """The clock shows this instant from here on."""

    instant: str


@dataclass(frozen=True, slots=True)
class HaltedBy:
    """A person halts the window; None lifts the halt."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class MovedTo:
    """A person changes the window's zone, which no endpoint does."""

    timezone: str


@dataclass(frozen=True, slots=True)
class StoreFails:
    """The store raises this, whatever it is asked; None mends it."""

    error: Exception | None


@dataclass(frozen=True, slots=True)
class MarketFails:
    """The market raises this, whatever it is asked; None mends it."""

    error: Exception | None


@dataclass(frozen=True, slots=True)
class BrokerFails:
    """The broker raises this, whatever it is asked, or when `only` this method is called: at once, or `afterwards`,
    when what it was asked for is done; None mends it."""

    error: Exception | None
    only: str | None = None
    afterwards: bool = False


@dataclass(frozen=True, slots=True)
class CandleTrades:
    """Bitcoin is traded at this price, in a candle that opens and ends now; the paper broker is shown it."""

    price: str


@dataclass(frozen=True, slots=True)
class BotRuns:
    """A process takes the bot's lease, and tells of a cycle in which it took in so many candles."""

    candles: int


Event = At | HaltedBy | MovedTo | StoreFails | MarketFails | BrokerFails | CandleTrades | BotRuns
Step = tuple[Request, Answer] | Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """The window after the last step: its state, and the ledger entries that the steps added. `permits` are those
    without an end, by id, with their status; `orders` the broker's, oldest first, such as `paper-1 filled 0.50`; `bot`
    what the bot is to do, and since when, such as `running since 2025-03-03T12:00:00Z`.

    Tally and times of the last trades are held against what was left in the cases that write them down; between the
    arms they always are.
    """

    trade_day: str | None = None
    trades_today: int = 0
    halt: str | None = None
    tally: Tally | None = None
    last_trades: Mapping[str, str] | None = None
    permits: Mapping[str, str] = field(default_factory=dict)
    orders: tuple[str, ...] = ()
    bot: str = "stopped"
    version: int = 1
    config: Mapping[str, Any] = field(default_factory=dict)
    ledger: tuple[LedgerEntry, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`config`, `halt`, `trades` and the count of `trade_day` are there before the first step. Without `leaves`
    the steps must change nothing. `rows` are those of the list of differences between the two frameworks."""

    name: str
    steps: tuple[Step, ...]
    at: str = "2025-03-03T12:00:00Z"
    config: Mapping[str, Any] = field(default_factory=dict)
    trade_day: str | None = None
    trades_today: int = 0
    halt: str | None = None
    trades: tuple[Trade, ...] = ()
    leaves: Left | None = None
    max_body_bytes: int = 1_048_576
    native_only: bool = False
    also_on_sqlite: bool = False
    rows: tuple[int, ...] = ()


def get(target: str, *headers: tuple[str, str]) -> Request:
    return Request(method="GET", target=target, headers=headers)


def head(target: str) -> Request:
    return Request(method="HEAD", target=target)


def post_trade(body: str | bytes, *headers: tuple[str, str], key: str | None = None) -> Request:
    """With JSON's Content-Type and the body's Content-Length unless `headers` bring others."""
    keys = () if key is None else (("Idempotency-Key", key),)
    return with_body("POST", "/api/trading-window/trades", body, headers + keys)


def put_config(body: str | bytes, *headers: tuple[str, str]) -> Request:
    return with_body("PUT", "/api/trading-window/config", body, headers)


def stray(method: str, target: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
    """A request that no endpoint claims."""
    sized = (*headers, ("Content-Length", str(len(body)))) if body else headers
    return Request(method=method, target=target, headers=sized, body=body, claimed=False)


def without_content_type(request: Request) -> Request:
    return replace(request, headers=tuple(header for header in request.headers if header[0] != "Content-Type"))


def with_body(method: str, target: str, body: str | bytes, headers: tuple[tuple[str, str], ...]) -> Request:
    raw = body.encode() if isinstance(body, str) else body
    given = {name for name, _ in headers}
    usual = (("Content-Type", JSON), ("Content-Length", str(len(raw))))
    own = tuple(header for header in usual if header[0] not in given)
    return Request(method=method, target=target, headers=own + headers, body=raw)


def object_of(members: Mapping[str, str]) -> str:
    """A JSON object; the values are JSON already."""
    return "{" + ",".join(f'"{name}":{written}' for name, written in members.items()) + "}"


def answers(status: int, text: str) -> Answer:
    """The text is JSON as Flask writes it, but for the newline at its end."""
    body = f"{text}\n".encode("ascii")
    return Answer(status=status, body=body, content_length=str(len(body)))


def ok(text: str) -> Answer:
    return answers(200, text)


def error(status: int, sentence: str) -> Answer:
    return answers(status, '{"error":' + json.dumps(sentence) + "}")


def head_of(answer: Answer) -> Answer:
    """The same without its body."""
    return replace(answer, body=b"")


def html(status: int, title: str, text: str, allow: str | None = None) -> Answer:
    """Werkzeug's page for an error."""
    page = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return Answer(
        status=status,
        body=page.encode(),
        content_type=HTML,
        content_length=str(len(page)),
        allow=frozenset(allow.split(", ")) if allow else None,
    )


NOT_FOUND = html(
    404,
    "Not Found",
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try"
    " again.",
)


def not_allowed(allow: str) -> Answer:
    return html(405, "Method Not Allowed", "The method is not allowed for the requested URL.", allow)


def allows(methods: str) -> Answer:
    """The answer to OPTIONS."""
    return Answer(status=200, body=b"", content_type=HTML, content_length="0", allow=frozenset(methods.split(", ")))


def moved(location: str) -> Answer:
    """Werkzeug's redirect to a path without doubled slashes; the method stays."""
    shown = location.replace("&", "&amp;")
    page = (
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
        "<p>You should be redirected automatically to the target URL: "
        f'<a href="{shown}">{shown}</a>. If not, click the link.\n'
    )
    return Answer(status=308, body=page.encode(), content_type=HTML, content_length=str(len(page)), location=location)


def trade_of(
    trade_id: str,
    at: str,
    *,
    day: str | None = None,
    symbol: str | None = "BTC-USD",
    side: str | None = "buy",
    quantity: str | None = "0.50",
    price: str | None = "64250.10",
    strategy: str | None = None,
) -> Trade:
    """A trade at `at`, `YYYY-MM-DDTHH:MM:SS`, which counts on that date unless `day` is another."""
    return Trade(
        id=trade_id,
        symbol=symbol,
        side=side,
        quantity=quantity,
        price=price,
        strategy=strategy,
        executed_at=f"{at}.000000Z",
        trade_day=day or at[:10],
    )


def written(trade: Trade) -> str:
    """The trade as JSON, in the order in which Flask sorts keys."""
    shown: dict[str, Any] = {
        "executed_at": trade["executed_at"],
        "id": trade["id"],
        "price": trade["price"],
        "quantity": trade["quantity"],
        "side": trade["side"],
        "strategy": trade["strategy"],
        "symbol": trade["symbol"],
        "trade_day": trade["trade_day"],
    }
    return json.dumps(shown, separators=(",", ":"))


def registered(trade: Trade, *, trades_today: int, remaining: int) -> Answer:
    text = f'{{"remaining_trades":{remaining},"trade":{written(trade)},"trades_today":{trades_today}}}'
    return answers(201, text)


def entry_of(sequence: int, trade: Trade) -> LedgerEntry:
    """The ledger's entry of a trade."""
    return LedgerEntry(
        sequence=sequence,
        id=trade["id"],
        kind="trade",
        instant=datetime.fromisoformat(trade["executed_at"]),
        trade_day=trade["trade_day"],
        symbol=trade["symbol"],
        data=trade,
    )


def entry_of_day(sequence: int, instant: str, *, before: str, after: str, trades: int) -> LedgerEntry:
    """The ledger's entry of a day that turns, in front of the trade that is the first of it."""
    return LedgerEntry(
        sequence=sequence,
        id=f"day-{after}",
        kind="day",
        instant=datetime.fromisoformat(instant),
        trade_day=after,
        data={"before": before, "after": after, "trades": trades},
    )


def entry_of_config_change(
    sequence: int, instant: str, *, before: Mapping[str, Any], after: Mapping[str, Any], number: int = 1
) -> LedgerEntry:
    """The ledger's entry of a config change; both configs by what differs from the defaults."""
    return LedgerEntry(
        sequence=sequence,
        id=f"config-{number}",
        kind="config",
        instant=datetime.fromisoformat(instant),
        data={"before": {**CONFIG_KEYS, **before}, "after": {**CONFIG_KEYS, **after}},
    )
