"""How an entry point comes to its store: made from the settings, on the newest schema, the default window seeded."""

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.errors import SettingsError, StoreUnavailable, UnknownWindow
from shared.settings import Settings
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig

logger = logging.getLogger(__name__)


def open_store(settings: Settings) -> SQLiteStore:
    """A store that is ready, and holds nothing open: a process may still fork.

    The settings seed the default window; from then on the store's own config wins, and a key that somebody has set
    otherwise is logged. To be called last, so that a start that fails seeds nothing. Raises SettingsError.
    """
    store = open_unseeded_store(settings)
    seed_store(store, settings)
    return store


def open_unseeded_store(settings: Settings) -> SQLiteStore:
    """As `open_store`, before the settings have seeded anything: for a start that may still fail. Raises
    SettingsError."""
    store = SQLiteStore(
        settings.store.path,
        busy_timeout_seconds=settings.store.busy_timeout_seconds,
        max_waiting_writes=settings.store.max_waiting_writes,
    )
    with names_state_file(settings.store.path, "store.path"):
        store.prepare()
    return store


def seed_store(store: SQLiteStore, settings: Settings) -> None:
    """Gives the store the default window where it doesn't know it yet. Otherwise the keys are logged that the settings
    name and the store has other values of; a default names none. Raises SettingsError."""
    seed = settings.window
    with names_state_file(settings.store.path, "store.path"):
        stored = store.create(DEFAULT_WINDOW_ID, seed).config
    store.close()
    differing = {key for key in seed.model_fields_set if getattr(seed, key) != getattr(stored, key)}
    if differing:
        logger.warning(
            "the window %r keeps its stored %s, though the settings say %s; to change it, use "
            "PUT /api/windows/%s/config, or PUT /api/trading-window/config for the keys that the old side knows",
            DEFAULT_WINDOW_ID,
            _told(stored, differing),
            _told(seed, differing),
            DEFAULT_WINDOW_ID,
        )


def window_in_force(settings: Settings) -> WindowConfig:
    """The default window's config as it is stored, or else the one that a start would seed. Makes no file. Raises
    SettingsError."""
    if not settings.store.path.exists():
        return settings.window
    with closing(open_unseeded_store(settings)) as store, names_state_file(settings.store.path, "store.path"):
        try:
            return store.snapshot(DEFAULT_WINDOW_ID).config
        except UnknownWindow:
            return settings.window


@contextmanager
def names_state_file(path: Path, setting: str) -> Iterator[None]:
    """Around what opens a state file at the start: where it can't be used, SettingsError names it and its setting.

    SQLite opens a file that it may only read, and gives the files that it makes beside it the same permissions; so the
    first write would fail, and go on failing once the file alone is mended.
    """
    refuse_what_may_not_be_written(path, setting)
    try:
        yield
    except StoreUnavailable as exc:
        problem = exc.problem.removeprefix(f"{path}: ")
        raise SettingsError(f"{_refusal(path)}: {problem} ({setting})") from exc


def refuse_what_may_not_be_written(path: Path, setting: str) -> None:
    """Raises SettingsError for a state file, its folder or a file beside it that this user may only read."""
    for used in (path.parent, path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if used.exists() and not os.access(used, os.R_OK | os.W_OK):
            raise SettingsError(f"{_refusal(path)}: this user may not read and write {used.absolute()} ({setting})")


def _refusal(path: Path) -> str:
    return f"the state file {path.absolute()} can't be used"


def _told(config: WindowConfig, keys: set[str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in config.model_dump(mode="json", include=keys).items())
