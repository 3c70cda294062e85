"""Runs the bot in this process where its row says that it is to run, and no other process runs it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from fastapi_app.main_bot_async import TradingBotAsync
from fastapi_app.periodic import Retried
from shared.bot.lease import is_free
from shared.bot.notifier import open_notifier
from shared.bot.store.base import BotRow, BotStore
from shared.clock import Clock, SystemClock
from shared.errors import LeaseHeld
from shared.fields import validated
from shared.services import Parts
from shared.settings import BotSettings, Settings
from shared.store.base import Store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How long a process may take to see that the bot was started or stopped, or that a lease has ended."""


class BotSupervisor:
    """Each process has one; the lease on the row says whose bot runs.

    A process that ends gives its lease back once what is in flight is finished, or has hung too long; the bot is still
    to run, and the next process takes it up. After a crash that happens when the lease has ended.
    """

    def __init__(
        self,
        bots: BotStore,
        make: Callable[[BotSettings], TradingBotAsync],
        *,
        clock: Clock | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`make` makes this process's bot of the settings with which it was started, by whichever process."""
        self._bots = bots
        self._make = make
        self._clock = clock or SystemClock()
        self._look_seconds = look_seconds
        self._bot: TradingBotAsync | None = None
        self._started_at: datetime | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks at the row again and again while the block runs; behind it no bot runs here."""
        ending = asyncio.Event()
        watch = asyncio.create_task(self._watch(ending), name="bot-supervisor")
        try:
            yield
        finally:
            ending.set()
            await watch

    async def _watch(self, ending: asyncio.Event) -> None:
        looking = Retried(self._look, logger, "the bot")
        while not ending.is_set():
            await looking.attempt()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await ending.wait()
        await Retried(self._end, logger, "the bot").attempt()

    async def _look(self) -> None:
        row = await self._bots.read_async()
        if self._bot is not None and not self._goes_on(self._bot, row):
            await self._end()
        if self._bot is None and row.desired == "running" and is_free(row, self._clock.now()):
            await self._begin(row)

    def _goes_on(self, bot: TradingBotAsync, row: BotRow) -> bool:
        """Not where it was stopped meanwhile, be it that it was started again, or where another process has it."""
        is_meant = row.desired == "running" and row.started_at == self._started_at
        return is_meant and bot.is_running and row.holder == bot.holder

    async def _begin(self, row: BotRow) -> None:
        bot = self._make(validated(BotSettings, dict(row.config or {})))
        with suppress(LeaseHeld):  # another process was quicker
            await bot.start()
            self._bot, self._started_at = bot, row.started_at
            before = "" if row.holder is None else f", taken over from {row.holder}"
            logger.info("the bot runs here, as %s%s", bot.holder, before)

    async def _end(self) -> None:
        bot, self._bot = self._bot, None
        if bot is not None:
            await bot.stop()
            logger.info("the bot has stopped here, as %s", bot.holder)


def supervisor_of(settings: Settings, parts: Parts, windows: Store) -> BotSupervisor:
    """For bots on this process's own market, broker and stores. Raises SettingsError."""
    notifier = open_notifier(settings.bot)

    def make(started_with: BotSettings) -> TradingBotAsync:
        return TradingBotAsync(
            started_with,
            market=parts.market,
            broker=parts.broker,
            windows=windows,
            bots=parts.bots,
            window=settings.window,
            notifier=notifier,
        )

    return BotSupervisor(parts.bots, make)
