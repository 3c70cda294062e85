"""How an entry point comes to its store: made from the settings, on the newest schema, the default window seeded."""

import logging

from shared.settings import Settings
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID

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
            "the window %r keeps its stored config %s; the settings say %s",
            DEFAULT_WINDOW_ID,
            stored.model_dump(),
            seed.model_dump(),
        )
    return store
