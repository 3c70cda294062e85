import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from shared.errors import ExchangeRefused, ExchangeUnavailable, OutcomeUnknown, SettingsError
from shared.exchange_client import ExchangeClient
from shared.settings import ExchangeSettings, load_settings
from tests.fakes.exchange import (
    HANDLERS,
    FakeExchange,
    Fault,
    Refusal,
    Request,
    cut,
    done_then,
    dropped,
    failed,
    serving,
    slow,
)

NOW = datetime(2026, 3, 4, 15, 0, 34, tzinfo=UTC)
ORDER, INFO = "/api/v3/order", "/api/v3/exchangeInfo"
KEY, SECRET, PASSPHRASE = "key-nobody-sees", "secret-nobody-sees", "passphrase-nobody-sees"
DEADLINE_SECONDS = 20.0


@pytest.fixture(name="placed")
def _placed(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The orders that the fake carried out."""
    placed: list[Request] = []

    def place(_exchange: FakeExchange, request: Request) -> Any:
        if request.fields["quantity"] == "9000":
            raise Refusal(400, -2010, "Account has insufficient balance for requested action.")
        placed.append(request)
        return {"symbol": "BTCUSD", "orderId": len(placed), "status": "NEW", "origQty": request.fields["quantity"]}

    monkeypatch.setitem(HANDLERS, ("POST", ORDER), place)
    return placed


@pytest.fixture(scope="module", name="served")
def _served() -> Iterator[FakeExchange]:
    with serving(FakeExchange([], now=NOW)) as exchange:
        yield exchange


@pytest.fixture(name="exchange")
def _exchange(served: FakeExchange) -> Iterator[FakeExchange]:
    served.recover()
    yield served
    served.recover()


@contextmanager
def client_of(exchange: FakeExchange, **changed: Any) -> Iterator[ExchangeClient]:
    environ = {
        "TRADEWINDOW_EXCHANGE__URL": exchange.url,
        "TRADEWINDOW_EXCHANGE__API_KEY": KEY,
        "TRADEWINDOW_EXCHANGE__API_SECRET": SECRET,
        "TRADEWINDOW_EXCHANGE__API_PASSPHRASE": PASSPHRASE,
        "TRADEWINDOW_EXCHANGE__READ_ATTEMPTS": "3",
        "TRADEWINDOW_EXCHANGE__RETRY_WAIT_SECONDS": "0.01",
    }
    client = ExchangeClient(load_settings(environ=environ).exchange.model_copy(update=changed))
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module", name="patient")
def _patient(served: FakeExchange) -> Iterator[ExchangeClient]:
    with client_of(served) as client:
        client.read(_nothing)
        yield client


@pytest.fixture(name="client")
def _client(exchange: FakeExchange, patient: ExchangeClient) -> ExchangeClient:  # noqa: ARG001 - for its recovery
    return patient


@pytest.fixture(scope="module", name="hasty")
def _hasty(served: FakeExchange) -> Iterator[ExchangeClient]:
    """Waits a quarter of a second for an answer, which a busy machine may need for the markets several times."""
    with client_of(served, request_timeout_seconds=0.25, read_attempts=20, read_timeout_seconds=60.0) as client:
        client.read(_nothing)
        yield client


async def _nothing(_exchange: Any) -> None:
    pass


def order(quantity: str = "0.50000001") -> Callable[[Any], Any]:
    return lambda exchange: exchange.create_order("BTC/USD", "limit", "buy", Decimal(quantity), Decimal("1000.25"))


def test_an_order_is_sent_once_exactly_and_signed(client: ExchangeClient, placed: list[Request]) -> None:
    answer = client.once(order("0.50001"))
    assert (answer["id"], answer["amount"]) == ("1", Decimal("0.50001"))
    (request,) = placed
    assert (request.fields["quantity"], request.fields["price"]) == ("0.50001", "1000.25")
    assert request.headers["X-MBX-APIKEY"] == KEY
    assert request.fields["signature"]


@pytest.mark.parametrize("face", ["blocking", "awaited"])
@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (dropped(), 0),
        (failed(502), 0),
        (failed(503), 0),
        (cut(), 1),
        (done_then(dropped()), 1),
        (done_then(failed(504)), 1),
    ],
)
def test_what_may_have_been_done_is_never_sent_again(
    exchange: FakeExchange, client: ExchangeClient, placed: list[Request], fault: Fault, done: int, face: str
) -> None:
    exchange.fail(ORDER, fault)
    with pytest.raises(OutcomeUnknown):
        client.once(order()) if face == "blocking" else asyncio.run(client.once_async(order()))
    assert (len(exchange.asked(ORDER)), len(placed)) == (1, done)


def test_an_order_does_not_wait_long_behind_other_requests(hasty: ExchangeClient, placed: list[Request]) -> None:
    """It would be sent at a price that has gone, and when somebody may have given it up."""

    async def take_turns(ccxt: Any, *, ahead: float) -> None:
        ccxt.throttler.config["tokens"] = -ahead

    hasty.read(partial(take_turns, ahead=60.0))  # of 50 milliseconds each
    with pytest.raises(ExchangeRefused, match=r"not sent: .* took longer than 0\.25 seconds"):
        hasty.once(order())
    hasty.read(partial(take_turns, ahead=0.0))
    assert placed == []


def test_an_answer_that_does_not_come_in_time_is_not_asked_for_again(
    exchange: FakeExchange, hasty: ExchangeClient, placed: list[Request]
) -> None:
    for fault in (slow(0.6), done_then(slow(0.6))):
        exchange.fail(ORDER, fault)
        with pytest.raises(OutcomeUnknown, match=f"RequestTimeout: binance POST {exchange.url}{ORDER}$"):
            hasty.once(order())
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(placed) < 2 and time.monotonic() < deadline:  # the first is carried out after its caller has left
        time.sleep(0.01)
    assert (len(exchange.asked(ORDER)), len(placed)) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "quantity", "kind"),
    [
        (None, "9000", "InsufficientFunds"),
        (failed(401), "1", "AuthenticationError"),
        (failed(429), "1", "DDoSProtection"),
    ],
)
def test_what_was_certainly_not_done_is_a_refusal(
    exchange: FakeExchange,
    client: ExchangeClient,
    placed: list[Request],
    fault: Fault | None,
    quantity: str,
    kind: str,
) -> None:
    if fault is not None:
        exchange.fail(ORDER, fault)
    with pytest.raises(ExchangeRefused) as caught:
        client.once(order(quantity))
    assert caught.value.kind == kind
    assert (len(exchange.asked(ORDER)), placed) == (1, [])


def test_an_answer_that_ccxt_fails_to_read_may_have_been_an_order(
    client: ExchangeClient, placed: list[Request]
) -> None:
    async def breaks(exchange: Any) -> None:
        await order()(exchange)
        raise KeyError("status")

    with pytest.raises(OutcomeUnknown, match="KeyError: 'status'"):
        client.once(breaks)
    assert len(placed) == 1


def test_without_markets_an_order_is_not_sent(exchange: FakeExchange, placed: list[Request]) -> None:
    exchange.fail(INFO, *[failed(503)] * 3)
    with client_of(exchange) as client, pytest.raises(ExchangeUnavailable):
        client.once(order())
    assert (exchange.asked(ORDER), placed) == ([], [])


def test_an_order_whose_caller_leaves_is_still_sent(
    exchange: FakeExchange, client: ExchangeClient, placed: list[Request]
) -> None:
    async def call() -> None:
        exchange.fail(ORDER, slow(0.2))
        left = asyncio.create_task(client.once_async(order()))
        while not exchange.asked(ORDER):  # noqa: ASYNC110 - it lives in other threads
            await asyncio.sleep(0.01)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        while not placed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(call(), DEADLINE_SECONDS))
    assert len(placed) == 1


def test_an_order_that_is_out_when_the_client_is_closed_may_have_been_done(
    exchange: FakeExchange, placed: list[Request]
) -> None:
    exchange.fail(ORDER, done_then(slow(1)))
    with client_of(exchange) as client, ThreadPoolExecutor(1) as pool:
        called = pool.submit(client.once, order())
        while not placed and not called.done():
            time.sleep(0.01)
        client.close()
        with pytest.raises(OutcomeUnknown, match=r"binance \(sandbox\) was let go of"):
            called.result(DEADLINE_SECONDS)


def test_a_rest_that_the_exchange_asks_for_is_kept_by_all(exchange: FakeExchange) -> None:
    exchange.fail("/api/v3/ticker/24hr", failed(429, Retry_After="300"))
    with client_of(exchange) as client:
        with pytest.raises(ExchangeUnavailable, match="DDoSProtection: binance 429"):
            client.read(lambda ccxt: ccxt.fetch_ticker("BTC/USD"))
        asked = len(exchange.requests)
        with pytest.raises(ExchangeUnavailable, match=r"asks to be left alone for (300|2\d\d)\.\d seconds more"):
            client.read(lambda ccxt: ccxt.fetch_order_book("BTC/USD"))
        with pytest.raises(ExchangeRefused, match="asks to be left alone") as caught:
            client.once(order())
        assert caught.value.kind == "RateLimitExceeded"
        assert len(exchange.requests) == asked


@pytest.mark.parametrize("told", ["9" * 20, "9" * 4_500, "soon"])
def test_a_rest_that_no_exchange_means_is_none(exchange: FakeExchange, told: str) -> None:
    with client_of(exchange) as client:
        exchange.fail(ORDER, failed(429, Retry_After=told))
        with pytest.raises(ExchangeRefused, match="DDoSProtection: binance 429"):
            client.once(order())
        client.read(_nothing)


def test_a_short_rest_is_waited_for(exchange: FakeExchange) -> None:
    exchange.fail(INFO, failed(429, Retry_After="1"))
    begin = time.monotonic()
    with client_of(exchange) as client:
        client.read(_nothing)
    assert time.monotonic() - begin > 0.9
    assert len(exchange.asked(INFO)) == 2


def test_a_read_has_its_time_in_all(exchange: FakeExchange) -> None:
    exchange.fail(INFO, *[slow(5)] * 20)
    changed = {"request_timeout_seconds": 0.05, "read_timeout_seconds": 1.0, "read_attempts": 20}
    with client_of(exchange, **changed) as client, pytest.raises(ExchangeUnavailable) as caught:
        client.read(_nothing)
    assert caught.value.problem == (
        "binance (sandbox) gave no answer within 1 seconds; "
        f"last: RequestTimeout: binance GET {exchange.url}/api/v3/exchangeInfo"
    )


@pytest.mark.usefixtures("placed")
def test_nothing_shows_a_key(exchange: FakeExchange, client: ExchangeClient, caplog: pytest.LogCaptureFixture) -> None:
    """Not the errors with all that led to them, not any log at any level, and no text of the client."""

    async def says(_exchange: Any) -> None:
        raise RuntimeError(f"{KEY} {SECRET} {PASSPHRASE} https://host/path?apiKey={KEY}&signature=abcdef")

    exchange.fail(ORDER, dropped())
    exchange.fail("/api/v3/account", *[failed(503)] * 3)
    shown = [repr(client), str(client), repr(client._settings), client.source]
    with caplog.at_level(logging.DEBUG):
        for ask in (
            lambda: client.once(order()),
            lambda: client.once(says),
            lambda: client.read(says),
            lambda: client.read(lambda ccxt: ccxt.fetch_balance()),
        ):
            with pytest.raises((OutcomeUnknown, ExchangeUnavailable)) as caught:
                ask()
            shown.append("".join(traceback.format_exception(caught.value)))
    shown += [str(vars(record)) for record in caplog.records]
    assert any("stamina.retry_scheduled" in text for text in shown)
    assert [
        text for text in shown if "nobody-sees" in text or "signature=" in text.replace('&signature=abcdef")', "")
    ] == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": "nosuch"}, 'exchange.name: "nosuch" is not an exchange that ccxt knows, such as binance or kraken'),
        ({"name": "kraken"}, "exchange.sandbox: true is not possible: kraken has no sandbox"),
    ],
)
def test_an_exchange_that_cannot_be_stops_the_start(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ExchangeClient(ExchangeSettings(**given))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("missing", ["ccxt", "stamina"])
def test_without_the_extra_it_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "ccxt":
        monkeypatch.delitem(sys.modules, "ccxt.async_support", raising=False)
    with pytest.raises(SettingsError) as caught:
        ExchangeClient(ExchangeSettings())
    assert str(caught.value) == (
        f'exchange.name: "binance" is not to be had without {missing}: install the extra `exchange`'
    )


def test_the_sandbox_is_asked_unless_it_is_turned_off() -> None:
    def asked(**given: Any) -> tuple[str, str]:
        client = ExchangeClient(ExchangeSettings(**given))
        session = client._session
        assert session is not None
        return client.source, str(session.exchange.urls["api"]["public"])

    assert asked() == ("binance (sandbox)", "https://testnet.binance.vision/api/v3")
    assert asked(sandbox=False) == ("binance", "https://api.binance.com/api/v3")
    assert asked(url="http://127.0.0.1:1") == ("binance (sandbox)", "http://127.0.0.1:1/api/v3")
