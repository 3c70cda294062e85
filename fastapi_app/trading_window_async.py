"""The new trading window. As a library it needs no server and no database."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict
from weakref import WeakKeyDictionary

from fastapi_app.window import permits, rules
from fastapi_app.window.config_check import checked
from fastapi_app.window.decision import Decision, PermitAnswer, decide
from fastapi_app.window.halting import halting, resumption
from fastapi_app.window.order import Order, OrderRequest
from fastapi_app.window.permit_block import PermitBlock
from fastapi_app.window.permits import ConfirmedPermit
from fastapi_app.window.schedule import Schedule, Turn, schedule_of, trading_hours
from fastapi_app.window.slots import free_slots, occupied_slots, trading_day
from shared.clock import Clock, aware
from shared.errors import PermitConflict, Refused, UnknownPermit
from shared.fields import validated
from shared.ports import LivePorts, Ports
from shared.store.base import IdempotencyKey, LedgerQuery, Store
from shared.store.memory import MemoryStore
from shared.upkeep import upkept
from shared.window import (
    ALL,
    DEFAULT_WINDOW_ID,
    AnswerT,
    Asking,
    Halt,
    Permit,
    Snapshot,
    Trade,
    Transition,
)
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

    # Questions

    async def is_within_window(self) -> bool:
        """Whether hours, calendar and blackouts allow a trade now."""
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return schedule_of(window.config).is_open(ports.instant())

    async def can_trade(self) -> bool:
        """Whether today's limit leaves a trade. Doesn't look at the hours (legacy contract)."""
        return await self.get_remaining_trades() > 0

    async def get_remaining_trades(self) -> int:
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return free_slots(window.config, window.state, ports.instant())

    async def get_state(self) -> WindowSummary:
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        config, state, instant = window.config, window.state, ports.instant()
        remaining = free_slots(config, state, instant)
        return WindowSummary(
            within_window=schedule_of(config).is_open(instant),
            can_trade=remaining > 0,
            trades_today=occupied_slots(config, state, instant),
            max_trades_per_day=config.max_trades_per_day,
            remaining_trades=remaining,
            trading_hours=trading_hours(config),
            last_trade_date=state["trade_day"],
        )

    async def decide(
        self, request: OrderRequest | TradeRequest | Mapping[str, Any] | None = None, *, at: datetime | None = None
    ) -> Decision:
        """Whether an order may go out, now or at another instant, as the window stands; takes no slot.

        With every reason that fails, and when each clears. Without a request the rules that name no symbol, side or
        strategy are asked. Raises InvalidField for a wrong request, ValueError for a naive instant.
        """
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        instant = ports.instant() if at is None else aware(at)
        return decide(window.config, upkept(window.state, instant)[0], instant, Order.of(request))

    async def is_open(self, at: datetime) -> bool:
        """Whether hours, calendar and blackouts allow a trade at this instant."""
        return (await self._schedule()).is_open(aware(at))

    async def next_open(self, at: datetime) -> datetime | None:
        """The first instant from `at` on at which the window is open; None where none is known."""
        return (await self._schedule()).next_open(aware(at))

    async def next_close(self, at: datetime) -> datetime | None:
        """The first instant from `at` on at which the window is closed; None where none is known."""
        return (await self._schedule()).next_close(aware(at))

    async def upcoming(self, at: datetime | None = None, *, limit: int = 10) -> tuple[Turn, ...]:
        """The next opens and closes after `at`, now unless given."""
        ports = await self._ports()
        return (await self._schedule()).upcoming(ports.instant() if at is None else aware(at), limit)

    async def get_trade_day(self) -> str:
        """The trading day that counts now, YYYY-MM-DD."""
        ports = await self._ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return trading_day(window.config, window.state, ports.instant())

    # Trades

    async def register_trade(self, trade: TradeRequest | Mapping[str, Any] | None = None) -> Trade:
        """Counts a trade that has happened, without asking. Raises InvalidField for bad trade data."""
        ports = await self._ports()
        transition = rules.registration(ports.new_id("trade"), Order.of(_trade_request(trade)))
        applied = await ports.windows.apply_async(self._window_id, transition)
        return applied.answer["trade"]

    async def try_register_trade(
        self, trade: TradeRequest | Mapping[str, Any] | None = None, *, key: IdempotencyKey | None = None
    ) -> Decision:
        """Checks and counts in one step, so that no two callers get the same slot.

        Raises InvalidField for bad trade data, KeyReused for a key that was answered for other trade data.
        """
        ports = await self._ports()
        order = Order.of(_trade_request(trade))
        transition = rules.checked_registration(ports.new_id("trade"), order)
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, key=key, asks=Asking(order.symbol))
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), registered=applied.answer)

    async def get_trades(self, query: TradesQuery) -> list[Mapping[str, Any]]:
        """The window's trades, newest first."""
        ports = await self._ports()
        page = await ports.windows.ledger_async(
            self._window_id,
            LedgerQuery(kind="trade", trade_day=query.date, symbol=query.symbol, limit=query.limit),
        )
        return [entry.data for entry in page.entries]

    # Permits

    def permit(self, request: OrderRequest | Mapping[str, Any] | None = None) -> PermitBlock:
        """A slot for the order that the block sends: see PermitBlock."""
        return PermitBlock(self, request)

    async def reserve(
        self, request: OrderRequest | Mapping[str, Any] | None = None, *, key: IdempotencyKey | None = None
    ) -> Decision:
        """Reserves a slot before an order goes out. The decision holds the permit, or every reason why not.

        A permit that isn't sent within `permit_seconds` expires, and its slot is free again.
        """
        ports = await self._ports()
        order = Order.of(request)
        transition = permits.reservation(ports.new_id("permit"), order)
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, key=key, asks=Asking(order.symbol))
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), reserved=applied.answer)

    async def mark_sent(self, permit_id: str, *, key: IdempotencyKey | None = None) -> PermitAnswer:
        """The order goes out: the permit expires no more, and is in doubt after `in_doubt_after_seconds`.

        This and the steps below raise UnknownPermit, and PermitConflict for a permit that has its end, or is past the
        step; with a key they give the first answer again.
        """
        return await self._step(permits.sending(permit_id), permit_id, key, wanted="sent")

    async def mark_in_doubt(self, permit_id: str, *, key: IdempotencyKey | None = None) -> PermitAnswer:
        """Nobody knows what came of the order: the permit keeps its slot until it is confirmed or released."""
        return await self._step(permits.doubting(permit_id), permit_id, key, wanted="in doubt")

    async def confirm(
        self,
        permit_id: str,
        fill: OrderRequest | Mapping[str, Any] | None = None,
        *,
        key: IdempotencyKey | None = None,
    ) -> ConfirmedPermit:
        """The order was filled, at the `quantity` and `price` of `fill` where it says so: the slot is a trade's now."""
        ports = await self._ports()
        transition = permits.confirmation(permit_id, ports.new_id("trade"), Order.of(fill))
        return await self._step(transition, permit_id, key, wanted="confirmed")

    async def release(
        self, permit_id: str, *, reason: str | None = None, key: IdempotencyKey | None = None
    ) -> PermitAnswer:
        """There is no trade: the slot is free again."""
        return await self._step(permits.release(permit_id, reason), permit_id, key, wanted="released")

    async def open_permits(self) -> list[Permit]:
        """Those without an end, oldest first; those in doubt wait for their reconciliation."""
        ports = await self._ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        return list(state.get("permits", {}).values())

    async def get_permit(self, permit_id: str) -> Permit:
        """Also one that has its end. Raises UnknownPermit."""
        ports = await self._ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        known = state.get("permits", {}).get(permit_id)
        return known or await self._ended(ports, permit_id)

    # Halts

    async def halt(self, *, reason: str, author: str, symbol: str | None = None, until: datetime | None = None) -> Halt:
        """Stops all new trades, or one symbol's, on both sides, until it is ended or `until` has come."""
        ports = await self._ports()
        until = None if until is None else aware(until)
        transition = halting(ports.new_id("halt"), reason=reason, author=author, symbol=symbol, until=until)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def resume(self, *, reason: str, author: str, symbol: str | None = None) -> Halt | None:
        """Ends a halt, and answers with it; None where there was none."""
        ports = await self._ports()
        transition = resumption(ports.new_id("halt"), reason=reason, author=author, symbol=symbol)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def get_halts(self) -> Mapping[str, Halt]:
        """Those in force, by symbol; `*` is that of everything."""
        ports = await self._ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        of_all = {} if state["halt"] is None else {ALL: state["halt"]}
        return {**of_all, **state.get("symbol_halts", {})}

    # Config

    async def create(self, config: WindowConfig) -> Snapshot:
        """Makes the window where the store doesn't know it, and answers with what is stored."""
        ports = await self._ports()
        await checked(config, {"calendar": config.calendar})
        return await ports.windows.create_async(self._window_id, config)

    async def get_config(self) -> WindowConfig:
        return (await self.get_snapshot()).config

    async def get_snapshot(self) -> Snapshot:
        """The window as this request sees it, with the version of its config."""
        ports = await self._ports()
        return await ports.windows.snapshot_async(self._window_id)

    async def update_config(self, changes: Mapping[str, Any]) -> WindowConfig:
        """Replaces the given keys; the new config is validated whole. Raises InvalidField.

        What was counted stays counted: a change never rewrites history.
        """
        ports = await self._ports()
        if "calendar" in changes:
            await checked(await self.get_config(), changes)
        transition = rules.config_change(ports.new_id("config"), changes)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def _schedule(self) -> Schedule:
        return schedule_of(await self.get_config())

    async def _step(
        self, transition: Transition[AnswerT], permit_id: str, key: IdempotencyKey | None, *, wanted: str
    ) -> AnswerT:
        ports = await self._ports()
        try:
            return (await ports.windows.apply_async(self._window_id, transition, key=key)).answer
        except UnknownPermit:
            ended = await self._ended(ports, permit_id)
            raise PermitConflict(permit_id, ended["status"], wanted) from None

    async def _ended(self, ports: Ports, permit_id: str) -> Permit:
        """A permit that isn't part of the window's state any more, as the ledger tells it. Raises UnknownPermit."""
        newest = await ports.windows.ledger_async(self._window_id, LedgerQuery(subject=permit_id, limit=1))
        if not newest.entries:
            raise UnknownPermit(permit_id)
        data: Any = newest.entries[0].data
        permit: Permit = {name: data[name] for name in Permit.__annotations__}  # type: ignore[assignment]
        if permit["status"] == "pending":
            # It is past its deadline, and nobody has written so yet.
            permit = {**permit, "status": "expired", "deadline": None}
        return permit

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
