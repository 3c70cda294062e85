"""The new trading window. As a library it needs no server and no database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from fastapi_app.window import rules
from fastapi_app.window.config_check import checked, warn_if_closed_for_good
from fastapi_app.window.decision import Decision, decide
from fastapi_app.window.order import Order, OrderRequest, ReducibleTradeRequest
from fastapi_app.window.schedule import Schedule, Turn, schedule_of, trading_hours
from fastapi_app.window.slots import free_slots, occupied_slots, trading_day
from fastapi_app.window_halts import WindowHalts
from fastapi_app.window_permits import WindowPermits
from shared.clock import Clock, aware
from shared.errors import Refused
from shared.fields import validated
from shared.ids import Ids
from shared.store.base import IdempotencyKey, LedgerQuery, Store
from shared.upkeep import upkept
from shared.window import Asking, Snapshot, Trade
from shared.window_config import WindowConfig
from shared.wire import TradeRequest, TradesQuery


class WindowSummary(TypedDict):
    """A trading window at one instant, for people and programs to read.

    `last_trade_date` is the trading day on which a slot was taken last, YYYY-MM-DD, also by a permit that has become no
    trade; None before the first one.
    """

    within_window: bool
    can_trade: bool
    trades_today: int
    max_trades_per_day: int
    remaining_trades: int
    trading_hours: str
    last_trade_date: str | None


class TradingWindowAsync(WindowPermits, WindowHalts):
    """When and how often a bot may trade.

    `config` seeds a window that the store doesn't know; from then on the store's own config wins. A wrong key raises
    InvalidField, which names it, and so does a calendar that can't be had: the first of each code is loaded here, which
    takes a second (`get_trading_window_async` has a thread do it). `store` is a MemoryStore unless given. May be used
    from several threads and event loops at once. With `ports` it serves one request on the window that is there
    already: one instant, and one snapshot until the request writes. What it does with permits and halts is in its
    bases.
    """

    # Questions

    async def is_within_window(self) -> bool:
        """Whether hours, calendar and blackouts allow a trade now."""
        ports = await self.ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return schedule_of(window.config).is_open(ports.instant())

    async def can_trade(self) -> bool:
        """Whether today's limit leaves a trade. Doesn't look at the hours (legacy contract)."""
        return await self.get_remaining_trades() > 0

    async def get_remaining_trades(self) -> int:
        ports = await self.ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return free_slots(window.config, window.state, ports.instant())

    async def get_state(self) -> WindowSummary:
        ports = await self.ports()
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
        ports = await self.ports()
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
        ports = await self.ports()
        return (await self._schedule()).upcoming(ports.instant() if at is None else aware(at), limit)

    async def get_trade_day(self) -> str:
        """The trading day that counts now, YYYY-MM-DD."""
        ports = await self.ports()
        window = await ports.windows.snapshot_async(self._window_id)
        return trading_day(window.config, window.state, ports.instant())

    # Trades

    async def register_trade(self, trade: TradeRequest | Mapping[str, Any] | None = None) -> Trade:
        """Counts a trade that has happened, without asking. Raises InvalidField for bad trade data."""
        ports = await self.ports()
        transition = rules.registration(ports.new_id("trade"), Order.of(_trade_request(trade)))
        applied = await ports.windows.apply_async(self._window_id, transition)
        return applied.answer["trade"]

    async def try_register_trade(
        self, trade: TradeRequest | Mapping[str, Any] | None = None, *, key: IdempotencyKey | None = None
    ) -> Decision:
        """Checks and counts in one step, so that no two callers get the same slot.

        Raises InvalidField for bad trade data, KeyReused for a key that was answered for other trade data.
        """
        ports = await self.ports()
        order = Order.of(_trade_request(trade))
        transition = rules.checked_registration(ports.new_id("trade"), order)
        try:
            applied = await ports.windows.apply_async(self._window_id, transition, key=key, asks=Asking(order.symbol))
        except Refused as refusal:
            return Decision(at=ports.instant(), reasons=refusal.reasons)
        return Decision(at=ports.instant(), registered=applied.answer)

    async def get_trades(self, query: TradesQuery) -> list[Mapping[str, Any]]:
        """The window's trades, newest first."""
        ports = await self.ports()
        page = await ports.windows.ledger_async(
            self._window_id,
            LedgerQuery(kind="trade", trade_day=query.date, symbol=query.symbol, limit=query.limit),
        )
        return [entry.data for entry in page.entries]

    # Config

    async def create(self, config: WindowConfig) -> Snapshot:
        """Makes the window where the store doesn't know it, and answers with what is stored."""
        ports = await self.ports()
        await checked(config, {"calendar": config.calendar})
        created = await ports.windows.create_async(self._window_id, config)
        await warn_if_closed_for_good(self._window_id, created.config, ports.instant())
        return created

    async def get_config(self) -> WindowConfig:
        return (await self.get_snapshot()).config

    async def get_snapshot(self) -> Snapshot:
        """The window as this request sees it, with the version of its config."""
        ports = await self.ports()
        return await ports.windows.snapshot_async(self._window_id)

    async def update_config(self, changes: Mapping[str, Any]) -> WindowConfig:
        """Replaces the given keys; the new config is validated whole. Raises InvalidField.

        What was counted stays counted: a change never rewrites history.
        """
        ports = await self.ports()
        if "calendar" in changes:
            await checked(await self.get_config(), changes)
        transition = rules.config_change(ports.new_id("config"), changes)
        config = (await ports.windows.apply_async(self._window_id, transition)).answer
        await warn_if_closed_for_good(self._window_id, config, ports.instant())
        return config

    async def _schedule(self) -> Schedule:
        return schedule_of(await self.get_config())


async def get_trading_window_async(
    config: Mapping[str, Any] | WindowConfig | None = None,
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> TradingWindowAsync:
    """A new window that is ready to answer; each call makes one. Without a config it has the contract's defaults.

    Raises InvalidField for a wrong config, StoreUnavailable where the store can't be opened.
    """
    seed = config if isinstance(config, WindowConfig) else WindowConfig.parse(config or {})
    # Its calendar is loaded off the event loop.
    await checked(seed, {"calendar": seed.calendar})
    window = TradingWindowAsync(seed, store=store, clock=clock, ids=ids)
    await window.get_config()
    return window


def _trade_request(trade: TradeRequest | Mapping[str, Any] | None) -> TradeRequest | None:
    return validated(ReducibleTradeRequest, trade) if isinstance(trade, Mapping) else trade
