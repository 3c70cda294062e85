"""The bot's row in memory: nothing survives the process. For replays, backtests and tests."""

import threading
from dataclasses import replace

from shared.bot.store.base import BotRow, Step


class MemoryBotStore:
    """A BotStore in one attribute; a lock around the short step keeps threads apart. The JSON values of a row are the
    caller's own, and are not to be changed by anybody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row = BotRow()

    def read(self) -> BotRow:
        return self._row

    async def read_async(self) -> BotRow:
        return self._row

    def change(self, step: Step) -> BotRow:
        with self._lock:
            found = self._row
            changed = step(found)
            if changed is not None and changed != found:
                self._row = replace(changed, version=found.version + 1)
            return self._row

    async def change_async(self, step: Step) -> BotRow:
        return self.change(step)

    def close(self) -> None:
        """Nothing to let go of."""
