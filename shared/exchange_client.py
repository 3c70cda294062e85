"""The one client of an exchange, through ccxt. It needs the extra `exchange`, which is loaded when a client is made."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from shared.errors import (
    ExchangeRefused,
    ExchangeUnavailable,
    InvalidField,
    OutcomeUnknown,
    SettingsError,
    TradingWindowError,
    UnknownSymbol,
)
from shared.exchange_errors import is_rate_limit, is_refusal, is_transient, told
from shared.loop_thread import LoopThread, LoopThreadClosed
from shared.settings import ExchangeSettings

T = TypeVar("T")
Call = Callable[[Any], Awaitable[T]]
"""What is asked of a ccxt exchange (async, its markets loaded, its numbers Decimals)."""

_OPTIONS = {
    "binance": {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "recvWindow": 5_000,  # milliseconds after which a request that was under way isn't carried out any more
    }
}

_PATIENCE: ContextVar[float | None] = ContextVar("patience", default=None)
"""How many seconds a request waits, at most, for those before it that the exchange's rate limits hold up."""

_REST = re.compile(r"[0-9]{1,6}")
"""Seconds of a Retry-After. Binance shuts a client out for three days at the most."""

_SILENT = logging.Logger("ccxt", logging.CRITICAL)
"""ccxt's own logger would show headers, and with them the key, at level DEBUG."""


class ExchangeClient:
    """ccxt's client on a loop of its own, shared by all threads and event loops of the process.

    `read` is for what has no effect: tried again after failures that may pass, with longer and longer waits, within
    the settings' attempts and total time. `once` is for what has one: it is sent once, and never again. Requests keep
    to the exchange's rate limits; when it asks for a rest, nobody disturbs it before that is over.

    Raises SettingsError for an exchange that ccxt doesn't know, or that has no sandbox. Nothing is open before the
    first request: a process may still fork.
    """

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        keys = (settings.api_key, settings.api_secret, settings.api_passphrase)
        self._secrets = [key.get_secret_value() for key in keys if key is not None]
        self._thread = LoopThread("exchange")
        self._ccxt, self._stamina = _extra(settings)
        self._session: _Session | None = _Session(_made(self._ccxt, settings))
        self._rest_until = 0.0

    @property
    def source(self) -> str:
        """The exchange's name, and whether it is its sandbox."""
        return f"{self._settings.name} (sandbox)" if self._settings.sandbox else self._settings.name

    @property
    def read_timeout_seconds(self) -> float:
        return self._settings.read_timeout_seconds

    @property
    def request_timeout_seconds(self) -> float:
        return self._settings.request_timeout_seconds

    def read(self, call: Call[T]) -> T:
        """Blocks until there is an answer. Raises ExchangeUnavailable, and ExchangeRefused."""
        try:
            return self._thread.run(lambda: self._read(call))
        except LoopThreadClosed:
            raise self._closed() from None

    async def read_async(self, call: Call[T]) -> T:
        """As `read`, awaited. A caller that is cancelled cancels the request."""
        try:
            return await self._thread.run_async(lambda: self._read(call))
        except LoopThreadClosed:
            raise self._closed() from None

    def once(self, call: Call[T]) -> T:
        """Blocks until there is an answer. Raises ExchangeRefused or ExchangeUnavailable where nothing was done, and
        OutcomeUnknown where it may have been: time ran out, the connection broke, the answer can't be read.

        Where a kept connection breaks, aiohttp sends a DELETE again, never a POST: to cancel twice is to cancel.
        """
        try:
            return self._thread.run(lambda: self._once(call))
        except LoopThreadClosed:
            raise OutcomeUnknown(f"{self.source} was let go of") from None

    async def once_async(self, call: Call[T]) -> T:
        """As `once`, awaited. A caller that is cancelled doesn't stop the request."""
        try:
            return await self._thread.run_async(lambda: self._once(call), outlives_caller=True)
        except LoopThreadClosed:
            raise OutcomeUnknown(f"{self.source} was let go of") from None

    def close(self) -> None:
        """Cancels what is going on, and closes the connections. A closed client opens again when used."""
        session, self._session = self._session, None
        self._thread.close(None if session is None else session.exchange.close)

    async def _read(self, call: Call[T]) -> T:
        now, problem = asyncio.get_running_loop().time, "it was not reached"
        deadline = now() + self._settings.read_timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                async for attempt in self._stamina.retry_context(
                    on=lambda exc: isinstance(exc, _Again) and (exc.wait_seconds or True),
                    attempts=self._settings.read_attempts,
                    timeout=None,
                    wait_initial=self._settings.retry_wait_seconds,
                    wait_jitter=self._settings.retry_wait_seconds,
                ):
                    with attempt:
                        try:
                            return await self._attempt(call)
                        except _Again as exc:
                            problem = exc.problem
                            if now() + exc.wait_seconds >= deadline:
                                raise ExchangeUnavailable(problem) from None
                            raise
        except _Again as exc:
            raise ExchangeUnavailable(exc.problem) from None
        except TimeoutError:
            waited = f"{self._settings.read_timeout_seconds:g} seconds"
            raise ExchangeUnavailable(f"{self.source} gave no answer within {waited}; last: {problem}") from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(self, call: Call[T]) -> T:
        if (rest := self._rest()) > 0:
            raise _Again(f"{self.source} asks to be left alone for {rest:.1f} seconds more", wait_seconds=rest)
        session = self._living()
        try:
            await session.load_markets()
            return await call(session.exchange)
        except TradingWindowError:
            raise
        except Exception as exc:
            self._note_rest(exc, session.exchange)
            problem = self._told(exc)
            if is_transient(exc):
                raise _Again(problem, wait_seconds=max(0.0, self._rest())) from None
            if is_refusal(exc):
                raise ExchangeRefused(type(exc).__name__, problem) from None
            raise ExchangeUnavailable(f"its answer can't be read: {problem}") from None

    async def _once(self, call: Call[T]) -> T:
        if (rest := self._rest()) > 0:
            problem = f"{self.source} asks to be left alone for {rest:.1f} seconds more"
            raise ExchangeRefused("RateLimitExceeded", problem)
        await self._read(_nothing)
        session = self._living()
        _PATIENCE.set(self._settings.request_timeout_seconds)
        try:
            return await call(session.exchange)
        except TradingWindowError:
            raise
        except Exception as exc:
            self._note_rest(exc, session.exchange)
            if is_refusal(exc):
                raise ExchangeRefused(type(exc).__name__, self._told(exc)) from None
            raise OutcomeUnknown(self._told(exc)) from None

    def _living(self) -> "_Session":
        if self._session is None:
            self._session = _Session(_made(self._ccxt, self._settings))
        return self._session

    def _rest(self) -> float:
        return self._rest_until - asyncio.get_running_loop().time()

    def _note_rest(self, error: Exception, exchange: Any) -> None:
        """Retry-After is said in seconds (RFC 9110 knows dates, too, which no exchange sends)."""
        if is_rate_limit(error):
            headers = {name.lower(): text for name, text in (exchange.last_response_headers or {}).items()}
            after = headers.get("retry-after", "")
            if _REST.fullmatch(after):
                self._rest_until = asyncio.get_running_loop().time() + int(after)

    def _told(self, error: Exception) -> str:
        return told(error, self._secrets)

    def _closed(self) -> ExchangeUnavailable:
        return ExchangeUnavailable(f"{self.source} was let go of")


def spot_market(exchange: Any, symbol: str) -> Any:
    """What ccxt knows of a spot market, BTC-USD being its BTC/USD. Raises UnknownSymbol."""
    market = exchange.markets.get(symbol.replace("-", "/"))
    if "/" in symbol or not market or not market["spot"]:
        raise UnknownSymbol(symbol)
    return market


class _Again(Exception):
    """A failure that may pass. Raised in the place of ccxt's own error: stamina logs what it retries."""

    def __init__(self, problem: str, *, wait_seconds: float) -> None:
        self.problem = problem
        self.wait_seconds = wait_seconds
        super().__init__(problem)


class _Session:
    """A ccxt exchange. Its markets are loaded by one at a time: ccxt lets all fail when one is cancelled."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self._loading = asyncio.Lock()

    async def load_markets(self) -> None:
        async with self._loading:
            if not self.exchange.markets:
                await self.exchange.load_markets()


async def _nothing(_exchange: Any) -> None:
    """What is read when only the markets are to be there."""


def _extra(settings: ExchangeSettings) -> tuple[Any, Any]:
    """ccxt and stamina, which are heavy."""
    try:
        import ccxt.async_support as ccxt  # noqa: PLC0415
        import stamina  # noqa: PLC0415
    except ImportError as exc:
        rule = f"to be had without {str(exc.name).partition('.')[0]}: install the extra `exchange`"
        raise SettingsError(str(InvalidField("exchange.name", settings.name, rule))) from exc
    return ccxt, stamina


def _made(ccxt: Any, settings: ExchangeSettings) -> Any:
    if settings.name not in ccxt.exchanges:
        rule = "an exchange that ccxt knows, such as binance or kraken"
        raise SettingsError(str(InvalidField("exchange.name", settings.name, rule)))
    exchange = getattr(ccxt, settings.name)(_config(settings))
    exchange.logger = _SILENT
    # Two roads on which ccxt (4.5) would make binary floats, whatever `number` says: JSON numbers, and order books.
    exchange.on_json_response = partial(json.loads, parse_float=str)
    exchange.safe_float = exchange.safe_number
    exchange.throttle = partial(_in_turn, ccxt, exchange.throttle)
    exchange.handle_errors = partial(_judged, ccxt, exchange.handle_errors)
    if settings.sandbox:
        try:
            exchange.set_sandbox_mode(True)
        except (ccxt.NotSupported, TypeError) as exc:  # ccxt stumbles where it knows of no address
            rule = f"possible: {settings.name} has no sandbox"
            raise SettingsError(str(InvalidField("exchange.sandbox", True, rule))) from exc
    if settings.url is not None:
        exchange.urls["api"] = _moved(exchange.urls["api"], settings.url)
    return exchange


async def _in_turn(ccxt: Any, throttle: Callable[..., Awaitable[None]], cost: Any = None) -> None:
    """ccxt's wait for the exchange's rate limits, which comes before a request is signed and has no end of its own."""
    patience = _PATIENCE.get()
    try:
        async with asyncio.timeout(patience):
            await throttle(cost)
    except TimeoutError:
        problem = f"not sent: the requests before it took longer than {patience:g} seconds"
        raise ccxt.RateLimitExceeded(problem) from None


def _judged(ccxt: Any, handle_errors: Callable[..., Any], status: int, *answer: Any) -> Any:
    """What ccxt makes of an answer. It goes by the code in the body first; but after a 5xx, whatever the body says, the
    order may have been carried out (Binance's general information on its HTTP return codes)."""
    try:
        return handle_errors(status, *answer)
    except ccxt.BaseError as exc:
        if status >= 500:
            raise ccxt.ExchangeNotAvailable(str(exc)) from exc
        raise


def _config(settings: ExchangeSettings) -> dict[str, Any]:
    config: dict[str, Any] = {
        "enableRateLimit": True,
        "timeout": int(settings.request_timeout_seconds * 1_000),
        "number": Decimal,
        "has": {"fetchCurrencies": False},  # nobody asks for them
        "options": _OPTIONS.get(settings.name, {}),
    }
    for name, key in (
        ("apiKey", settings.api_key),
        ("secret", settings.api_secret),
        ("password", settings.api_passphrase),
    ):
        if key is not None:
            config[name] = key.get_secret_value()
    return config


def _moved(urls: Any, to: str) -> Any:
    """ccxt's addresses, each with another scheme and host."""
    if isinstance(urls, dict):
        return {name: _moved(url, to) for name, url in urls.items()}
    return to + urlsplit(urls).path if isinstance(urls, str) else urls
