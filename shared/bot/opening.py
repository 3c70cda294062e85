"""How an entry point comes to its bot's row."""

from shared.bot.store.sqlite import SQLiteBotStore
from shared.settings import StoreSettings


def open_bot_store(settings: StoreSettings) -> SQLiteBotStore:
    """In the store's own file, which it doesn't hold open before its first use: a process may still fork."""
    return SQLiteBotStore(
        settings.path,
        busy_timeout_seconds=settings.busy_timeout_seconds,
        max_waiting_writes=settings.max_waiting_writes,
    )
