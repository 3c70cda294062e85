"""The bot as a service behind the ports: what it is told, and what its row says of it, as JSON."""

import asyncio
from datetime import datetime
from typing import Any

from shared.bot.control import started, status_of, stopped
from shared.bot.store.base import BotStore, Step
from shared.bot.strategy_set import StrategySet
from shared.settings import BotSettings

Json = dict[str, Any]


class BotService:
    """For request handlers, called by name through `ports.outbound`: `start` and `stop` are effects, `status` is a
    read. They change and read the bot's row alone; whichever process holds the lease on it runs the bot.

    `settings` are those with which a bot is started here, `account` is where it trades, as `account_of` words it.
    Raises StoreUnavailable.
    """

    def __init__(self, bots: BotStore, settings: BotSettings, *, account: str) -> None:
        self._bots = bots
        self._settings = settings
        self._account = account

    def start(self, *, at: str) -> Json:
        """`at` is the request's instant as ISO 8601. Raises BotIsRunning, OtherAccount, and UnknownStrategy,
        BrokenStrategy and InvalidField for what the settings name: a bot that can't run is not started."""
        StrategySet(self._settings)
        self._bots.change(self._started(at))
        return {"status": "started"}

    async def start_async(self, *, at: str) -> Json:
        await asyncio.to_thread(StrategySet, self._settings)
        await self._bots.change_async(self._started(at))
        return {"status": "started"}

    def stop(self) -> Json:
        """Raises BotIsStopped."""
        self._bots.change(stopped())
        return {"status": "stopped"}

    async def stop_async(self) -> Json:
        await self._bots.change_async(stopped())
        return {"status": "stopped"}

    def status(self) -> Json:
        return status_of(self._bots.read(), self._settings)

    async def status_async(self) -> Json:
        return status_of(await self._bots.read_async(), self._settings)

    def _started(self, at: str) -> Step:
        return started(self._settings, account=self._account, at=datetime.fromisoformat(at))

    def close(self) -> None:
        self._bots.close()
