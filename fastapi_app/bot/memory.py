"""What the bot remembers, in its row of the store, under the lease of who runs it."""

from shared.bot.lease import saved
from shared.bot.state import BotState
from shared.bot.store.base import BotStore


class BotMemory:
    """The memory that the holder of the lease reads and writes. Raises LeaseLost for who isn't it any more."""

    def __init__(self, store: BotStore, holder: str) -> None:
        self._store = store
        self._holder = holder

    async def load(self) -> BotState:
        """An empty one before the first `save`."""
        row = await self._store.read_async()
        return BotState() if row.state is None else BotState.of_json(row.state)

    async def save(self, state: BotState) -> None:
        """Durable when it returns."""
        await self._store.change_async(saved(self._holder, state.to_json()))
