"""How an entry point comes to its store: made from the settings, on the newest schema, the default window seeded."""

import logging

from shared.settings import Settings
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig

logger = logging.getLogger(__name__)


def open_store(settings: Settings) -> SQLiteStore:
    """A store that is ready, and holds nothing open: a process may still fork.

    The settings seed the default window; from then on the store's own config wins, and a difference is logged.
    Raises StoreUnavailable.
    """
    store = SQLiteStore(
        settings.store.path,
        busy_timeout_seconds=settings.store.busy_timeout_seconds,
        max_waiting_writes=settings.store.max_waiting_writes,
    )
    seed = settings.window
    stored = store.create(DEFAULT_WINDOW_ID, seed).config
    store.close()
    if stored != seed:
        logger.warning(
            "the window %r keeps its stored config (%s), though the settings say %s; to change it, use "
            "PUT /api/trading-window/config",
            DEFAULT_WINDOW_ID,
            _told(stored),
            _told(seed),
        )
    return store


def _told(config: WindowConfig) -> str:
    return ", ".join(f"{key} {value}" for key, value in config.to_json().items())
