"""The new trading window. As a library it needs no server and no database."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict
from weakref import WeakKeyDictionary

from fastapi_app.window import rules
from shared.clock import Clock
from shared.errors import Reason, Refused
from shared.fields import validated
from shared.ports import LivePorts, Ports
from shared.store.base import IdempotencyKey, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.window import DEFAULT_WINDOW_ID, RegisteredTrade, Trade
from shared.window_config import WindowConfig
from shared.wire import TradeRequest, TradesQuery


class WindowSummary(TypedDict):
    """A trading window at one instant, for people and programs to read.

    `last_trade_date` is the day of the newest trade, YYYY-MM-DD, None before the first one.
    """

    within_window: bool
    can_trade: bool
    trades_today: int
    max_trades_per_day: int
    remaining_trades: int
    trading_hours: str
    last_trade_date: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What came of asking to trade: `registered`, or every one of the `reasons` why not."""

    registered: RegisteredTrade | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.registered is not None


class TradingWindowAsync:
    """When and how often a bot may trade.

    `config` seeds a window that the store doesn't know; from then on the store's own config wins. A wrong key raises
    InvalidField, which names it. `store` is a MemoryStore unless given. May be used from several threads and event
    loops at once. With `ports` it serves one request on the window that is there already: one instant, and one
    snapshot until the request writes.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | WindowConfig | None = None,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        ports: Ports | None = None,
        window_id: str = DEFAULT_WINDOW_ID,
    ) -> None:
        self._window_id = window_id
        self._given_ports = ports
        self._own = None if ports is not None else _OwnWindow(config, store, clock, window_id)

    async def is_within_window(self) -> bool:
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return rules.is_open(window.config, ports.instant())

    async def can_trade(self) -> bool:
        """Whether today's limit leaves a trade. Doesn't look at the hours (legacy contract)."""
        return await self.get_remaining_trades() > 0

    async def get_remaining_trades(self) -> int:
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return rules.free_slots(window.config, window.state, ports.instant())

    async def get_state(self) -> WindowSummary:
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        config, state, instant = window.config, window.state, ports.instant()
        remaining = rules.free_slots(config, state, instant)
        return WindowSummary(
            within_window=rules.is_open(config, instant),
            can_trade=remaining > 0,
            trades_today=rules.occupied_slots(config, state, instant),
            max_trades_per_day=config.max_trades_per_day,
            remaining_trades=remaining,
            trading_hours=rules.trading_hours(config),
            last_trade_date=state["trade_day"],
        )

    async def register_trade(self, trade: TradeRequest | Mapping[str, Any] | None = None) -> Trade:
        """Counts a trade that has happened, without asking. Raises InvalidField for bad trade data."""
        ports = await self._ports()
        transition = rules.registration(ports.new_id("trade"), _trade_request(trade))
        applied = await ports.windows.apply_async(self._window_id, transition)
        return applied.answer["trade"]

    async def try_register_trade(
        self, trade: TradeRequest | Mapping[str, Any] | None = None, *, key: IdempotencyKey | None = None
    ) -> Decision:
        """Checks and counts in one step, so that no two callers get the same slot.

        Raises InvalidField for bad trade data, KeyReused for a key that was answered for other trade data.
        """
        ports = await self._ports()
        transition = rules.checked_registration(ports.new_id("trade"), _trade_request(trade))
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, key=key, takes_slot=True)
        except Refused as refusal:
            return Decision(reasons=refusal.reasons)
        return Decision(registered=applied.answer)

    async def get_trades(self, query: TradesQuery) -> list[Mapping[str, Any]]:
        """The window's trades, newest first."""
        ports = await self._ports()
        page = await ports.windows.ledger_async(
            self._window_id,
            LedgerQuery(kind="trade", trade_day=query.date, symbol=query.symbol, limit=query.limit),
        )
        return [entry.data for entry in page.entries]

    async def get_config(self) -> WindowConfig:
        ports = await self._ports()
        return (await ports.windows.snapshot_async(self._window_id)).config

    async def update_config(self, changes: Mapping[str, Any]) -> WindowConfig:
        """Replaces the given keys; the new config is validated whole. Raises InvalidField."""
        ports = await self._ports()
        transition = rules.config_change(ports.new_id("config"), changes)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def _ports(self) -> Ports:
        if self._given_ports is not None:
            return self._given_ports
        assert self._own is not None  # noqa: S101 - one of the two is always there
        return await self._own.ports()


async def get_trading_window_async(
    config: Mapping[str, Any] | WindowConfig | None = None, *, store: Store | None = None, clock: Clock | None = None
) -> TradingWindowAsync:
    """A new window that is ready to answer; each call makes one. Without a config it has the contract's defaults.

    Raises InvalidField for a wrong config, StoreUnavailable where the store can't be opened.
    """
    window = TradingWindowAsync(config, store=store, clock=clock)
    await window.get_config()
    return window


class _OwnWindow:
    """The store and the seed of a window that was not handed the ports of a request."""

    def __init__(
        self, config: Mapping[str, Any] | WindowConfig | None, store: Store | None, clock: Clock | None, window_id: str
    ) -> None:
        self._seed = config if isinstance(config, WindowConfig) else WindowConfig.parse(config or {})
        self._live = LivePorts(store=store or MemoryStore(), clock=clock)
        self._window_id = window_id
        self._seeded = False
        self._mutex = threading.Lock()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def ports(self) -> Ports:
        """The ports of a new request, once the store knows the window."""
        if not self._seeded:
            async with self._lock_of_this_loop():
                if not self._seeded:
                    await self._live.store.create_async(self._window_id, self._seed)
                    self._seeded = True
            with self._mutex:
                # A lock that was waited for holds on to its loop.
                self._locks.clear()
        return self._live.for_request()

    def _lock_of_this_loop(self) -> asyncio.Lock:
        """An asyncio.Lock belongs to one event loop, and a window may be used from several."""
        with self._mutex:
            return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _trade_request(trade: TradeRequest | Mapping[str, Any] | None) -> TradeRequest | None:
    return validated(TradeRequest, trade) if isinstance(trade, Mapping) else trade
