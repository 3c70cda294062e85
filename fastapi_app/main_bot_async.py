"""The new bot: reads the market, asks its strategies and the trading window, sends orders, registers trades."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from datetime import timedelta
from typing import Any

from fastapi_app.bot.desk import OrderDesk
from fastapi_app.bot.engine import BotEngine
from fastapi_app.bot.memory import BotMemory
from fastapi_app.orders import reconcile
from fastapi_app.trading_window_async import get_trading_window_async
from shared.bot.account import account_of
from shared.bot.broker import BotBroker
from shared.bot.control import begun_here, ended_here, status_of, told_at_start
from shared.bot.lease import released, renewed, taken
from shared.bot.notifier import LogNotifier, Notifier, open_notifier
from shared.bot.opening import open_bot_store, open_trading
from shared.bot.order_ids import OrderIds
from shared.bot.store.base import BotStore
from shared.bot.strategy_set import StrategySet
from shared.broker.service import BrokerService
from shared.clock import Clock, SystemClock, utc_text
from shared.entry import CANT_START_EXIT_CODE, log_to_stderr
from shared.errors import (
    BotIsRunning,
    BotIsStopped,
    LeaseHeld,
    LeaseLost,
    OtherAccount,
    SettingsError,
    StoreUnavailable,
)
from shared.market.base import Market
from shared.ports import LivePorts
from shared.settings import BotSettings, Settings, load_settings
from shared.store.base import Store
from shared.store.opening import open_store
from shared.strategies.registry import StrategyRegistry
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig
from shared.wire_fields import MAX_CANDLES

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25


class TradingBotAsync:
    """One process's bot, on the trading window `default` of the store.

    It runs while it holds the lease on the bot's row; what it remembers is there, so another process goes on where it
    ended. A cycle that fails is logged with its cause, and the next one begins with what was saved.
    """

    def __init__(
        self,
        settings: BotSettings,
        *,
        market: Market,
        broker: BotBroker,
        windows: Store,
        bots: BotStore,
        window: WindowConfig | None = None,
        clock: Clock | None = None,
        notifier: Notifier | None = None,
        registry: StrategyRegistry | None = None,
        holder: str | None = None,
    ) -> None:
        """`window` seeds the trading window where the store doesn't know it. `holder` names the process."""
        self._settings = settings
        self._market = market
        self._broker = broker
        self._windows = windows
        self._bots = bots
        self._window_config = window
        self._clock = clock or SystemClock()
        self._notifier = notifier or LogNotifier()
        self._registry = registry
        self.holder = holder or f"{socket.gethostname()}-{os.getpid()}"
        self.account = account_of(market, broker)
        self._live = LivePorts(store=windows, clock=self._clock, services={"broker": BrokerService(broker)})
        self._stopping = asyncio.Event()
        self.lost: LeaseLost | None = None
        """Why it has ended, where another process has taken it over."""
        self._failing: str | None = None
        self._cycle_began: float | None = None
        """By the event loop's clock, while one is under way."""
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes the lease, and begins its cycles in a task; the first one finishes what an earlier run has left.

        Raises BotIsRunning, LeaseHeld while another process runs the bot, OtherAccount, UnknownStrategy,
        BrokenStrategy, InvalidField for what the settings name, and StoreUnavailable.
        """
        if self.is_running:
            raise BotIsRunning
        strategies = await asyncio.to_thread(StrategySet, self._settings, self._registry)
        now = self._clock.now()
        await self._bots.change_async(taken(self.holder, account=self.account, at=now, until=now + self._lease()))
        try:
            engine = await self._engine(strategies)
        except BaseException:
            await self._bots.change_async(released(self.holder))
            raise
        self._stopping.clear()
        self.lost = None
        self._running = asyncio.create_task(self._run(engine, strategies), name="trading-bot")

    async def stop(self) -> None:
        """Lets the cycle that is under way finish, for as long as one may take, then gives the lease back. Raises
        BotIsStopped."""
        if self._running is None:
            raise BotIsStopped
        self._stopping.set()
        running, self._running = self._running, None
        try:
            await asyncio.wait({running}, timeout=self._settings.max_cycle_seconds - self._cycle_has_taken())
            if not running.done():
                logger.error("the bot is stopped in a cycle that hangs; who goes on reconciles what was on its way")
        finally:
            running.cancel()  # also where nobody waits for it any more
        await asyncio.wait({running}, timeout=self._settings.lease_seconds)
        if not running.done():
            logger.error("the bot's store hangs; its lease runs out by itself")
        elif not running.cancelled():
            running.result()

    @property
    def is_running(self) -> bool:
        """Whether this process runs the bot."""
        return self._running is not None and not self._running.done()

    async def wait(self) -> None:
        """Until it stops: by `stop`, or because the lease was lost."""
        if self._running is not None:
            await asyncio.shield(self._running)

    async def status(self) -> dict[str, Any]:
        """As the wire shows it, of the bot in whichever process it runs."""
        return status_of(await self._bots.read_async(), self._settings)

    async def _engine(self, strategies: StrategySet) -> BotEngine:
        ids = OrderIds()
        window = await get_trading_window_async(self._window_config, store=self._windows, clock=self._clock, ids=ids)
        return BotEngine(
            self._settings,
            strategies=strategies,
            desk=OrderDesk(window, self._broker, ids, before_placing=self._own_the_lease),
            broker=self._broker,
            memory=BotMemory(self._bots, self.holder),
            notifier=self._notifier,
        )

    async def _run(self, engine: BotEngine, strategies: StrategySet) -> None:
        renewing = asyncio.create_task(self._keep_the_lease(), name="trading-bot-lease")
        try:
            while not self._stopping.is_set():
                await self._guarded_cycle(engine, strategies)
                await self._pause(self._settings.cycle_seconds)
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            await self._bots.change_async(released(self.holder))

    async def _guarded_cycle(self, engine: BotEngine, strategies: StrategySet) -> None:
        cycle: dict[str, Any] = {"at": utc_text(self._clock.now()), "candles": 0, "error": None}
        self._cycle_began = asyncio.get_running_loop().time()
        try:
            cycle["candles"] = await self._cycle(engine, strategies)
        except LeaseLost as exc:
            self._lost(exc)
            return
        except Exception as exc:
            logger.exception("a cycle of the bot failed; the next one goes on from what was saved")
            cycle["error"] = str(exc)
            if self._failing != str(exc):  # once: a cycle comes every few seconds
                await self._notifier.notify_async("Trading bot", f"a cycle failed: {exc}")
        finally:
            self._cycle_began = None
        self._failing = cycle["error"]
        await self._renew(cycle)

    async def _cycle(self, engine: BotEngine, strategies: StrategySet) -> int:
        """Settles what became of orders that were out, then takes in what is closed and new of each symbol.

        Answers with how many candles that were.
        """
        await reconcile(self._live.for_request())
        if engine.needs_resume:
            await engine.resume(self._clock.now())
        taken_in = 0
        timeframe = self._settings.timeframe
        for symbol in engine.symbols():
            now, last = self._clock.now(), engine.last_candle(symbol)
            if last is None:
                before = min(strategies.warm_up, MAX_CANDLES)
                candles = await self._market.candles_async(symbol, timeframe, before, at=now)
                await engine.warm_up(symbol, candles)
                if candles and self._settings.join_trend:
                    await engine.join(symbol, candles[-1], at=now)
                else:
                    await engine.save()
                continue
            for candle in await self._market.candles_after_async(symbol, timeframe, last, MAX_CANDLES, until=now):
                if self._stopping.is_set():
                    break
                await engine.on_candle(symbol, candle, at=self._clock.now())
                taken_in += 1
        return taken_in

    async def _keep_the_lease(self) -> None:
        """Beside the cycles, since one may take longer than a lease, the last one too; until it is cancelled. While one
        hangs the lease runs out: another process may be able to go on."""
        told = False
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            if self._cycle_has_taken() < self._settings.max_cycle_seconds:
                await self._renew(None)
                told = False
            elif not told:
                told = True
                text = (
                    f"a cycle has taken more than {self._settings.max_cycle_seconds:g} s; the lease is left to others"
                )
                logger.error("the bot: %s", text)
                await self._notifier.notify_async("Trading bot", text)

    def _cycle_has_taken(self) -> float:
        """Seconds; 0 between two cycles."""
        began = self._cycle_began
        return 0.0 if began is None else asyncio.get_running_loop().time() - began

    async def _own_the_lease(self) -> None:
        """For as long as an order may take, too. Raises LeaseLost."""
        await self._bots.change_async(renewed(self.holder, until=self._clock.now() + self._lease()))

    async def _renew(self, last_cycle: dict[str, Any] | None) -> None:
        until = self._clock.now() + self._lease()
        try:
            await self._bots.change_async(renewed(self.holder, until=until, last_cycle=last_cycle))
        except LeaseLost as exc:
            self._lost(exc)
        except Exception:
            logger.exception("the bot's lease could not be renewed")

    def _lost(self, error: LeaseLost) -> None:
        if not self._stopping.is_set():
            logger.warning("the bot stops here: %s", error)
            self.lost = error
            self._stopping.set()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease_seconds)


async def main_async(settings: Settings | None = None, *, stop: asyncio.Event | None = None) -> None:
    """Runs the bot until `stop` is set, SIGINT or SIGTERM comes, or the bot is stopped in its row. Without settings it
    reads the process's own.

    Raises SettingsError, BotIsRunning while another process runs the store's bot, what TradingBotAsync.start does, and
    LeaseLost where another process has taken the bot over.
    """
    settings = settings or load_settings()
    async with contextlib.AsyncExitStack() as opened:
        bots = opened.enter_context(contextlib.closing(open_bot_store(settings.store)))
        market, broker = open_trading(settings)
        opened.callback(market.close)
        opened.callback(broker.close)
        notifier = open_notifier(settings.bot)
        windows = opened.enter_context(contextlib.closing(open_store(settings)))
        bot = TradingBotAsync(
            settings.bot,
            market=market,
            broker=broker,
            windows=windows,
            bots=bots,
            window=settings.window,
            notifier=notifier,
        )
        window = windows.snapshot(DEFAULT_WINDOW_ID).config
        told = told_at_start(settings.bot, holder=bot.holder, account=bot.account, window=window)
        await bots.change_async(
            begun_here(settings.bot, account=bot.account, holder=bot.holder, at=SystemClock().now())
        )
        try:
            await bot.start()
            stop = stop or _stop_by_signal()
            logger.info("%s", told)
            await _until(bot, bots, stop)
            if bot.lost is not None:
                raise bot.lost
            logger.info("the bot has stopped")
        finally:
            await bots.change_async(ended_here(bot.holder))
            await bots.change_async(released(bot.holder))


def run_main_async() -> None:
    """The bot as a process of its own. What the operator must mend is one sentence, and the exit code 3."""
    log_to_stderr()
    try:
        asyncio.run(main_async())
    except KeyboardInterrupt:  # before the loop has begun to listen for it
        logger.info("the bot was interrupted")
    except (SettingsError, BotIsRunning, LeaseHeld, OtherAccount) as exc:
        sys.stderr.write(f"the bot can't start: {exc}\n")
        sys.exit(CANT_START_EXIT_CODE)


async def _until(bot: TradingBotAsync, bots: BotStore, stop: asyncio.Event) -> None:
    ends = {asyncio.create_task(end) for end in (bot.wait(), stop.wait(), _told_to_stop(bots))}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
        try:
            await bots.change_async(ended_here(bot.holder))
        finally:
            await bot.stop()


async def _told_to_stop(bots: BotStore) -> None:
    """By any process, in the bot's row."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        with contextlib.suppress(StoreUnavailable):
            if (await bots.read_async()).desired == "stopped":
                return


def _stop_by_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


if __name__ == "__main__":
    run_main_async()
