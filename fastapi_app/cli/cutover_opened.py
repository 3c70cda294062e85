"""The store that a `tradewindow cutover` command works on."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer

from fastapi_app.cli.cutover_named import WrongUse
from fastapi_app.cli.interrupts import ctrl_c_just_ends
from fastapi_app.cutover.store.base import CutoverStore, VersionConflict
from fastapi_app.cutover.store.sqlite_file import connect
from fastapi_app.cutover.store.sqlite_rows import read_version
from fastapi_app.fitting_store import FittingCutoverStore, default_config
from shared.entry import CANT_START_EXIT_CODE
from shared.errors import InvalidField, SettingsError, StoreUnavailable, TradingWindowError
from shared.settings import load_settings
from shared.store.opening import refuse_what_may_not_be_written
from shared.store.sqlite import SQLiteStore
from shared.window_config import WindowConfig

PATIENCE_SECONDS = 5.0
"""For how long a command waits for a store that others write to."""

MAKING_SECONDS = 5.0
"""For how long a command waits for a state file that a first start is making."""

MAKING_POLL_SECONDS = 0.02

WRONG_USE_EXIT_CODE = 2
"""That of the command line's own parser."""


@contextmanager
def ends_with_a_sentence() -> Iterator[None]:
    """What is raised ends the process with a sentence, and with the exit code 2 for wrong use, 3 for the rest."""
    try:
        yield
    except VersionConflict as exc:
        _end(f"{exc}; somebody has changed it meanwhile: see `tradewindow cutover log`, and set it again if need be")
    except (WrongUse, InvalidField) as exc:
        _end(str(exc), WRONG_USE_EXIT_CODE)
    except TradingWindowError as exc:
        _end(str(exc))


@contextmanager
def opened(
    state: Path | None, config: Path | None, *, may_be_first: bool = False
) -> Iterator[tuple[CutoverStore, str]]:
    """The store, and where it is. What goes wrong with it, or is raised meanwhile, ends the process with a sentence."""
    with ends_with_a_sentence():
        store, where = _own_store(config, may_be_first) if state is None else _store_in(state, config)
        try:
            yield store, where
        except StoreUnavailable:
            # SQLite says no more than that it can't write, also where somebody only reads.
            if isinstance(store, FittingCutoverStore):
                refuse_what_may_not_be_written(store.path, "cutover.path, --state")
            raise
        finally:
            store.close()


def _store_in(path: Path, config: Path | None) -> tuple[CutoverStore, str]:
    if not path.is_file():
        raise SettingsError(f"there is no state file {path}; `tradewindow cutover serve` makes one (--state)")
    deadline = time.monotonic() + MAKING_SECONDS
    while _may_be_in_the_making(path) and time.monotonic() < deadline:
        time.sleep(MAKING_POLL_SECONDS)
    store = FittingCutoverStore(
        path,
        window_config=partial(_config_beside, path, config),
        busy_timeout_seconds=PATIENCE_SECONDS,
        only_existing=True,
    )
    return store, f"in {path.absolute()}"


def _may_be_in_the_making(path: Path) -> bool:
    """Whether nothing is in the file yet, or no endpoint. What else is wrong with it, the store tells."""
    try:
        with closing(connect(path, PATIENCE_SECONDS)) as connection:
            is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
            return is_empty or read_version(connection) == 0
    except sqlite3.Error:
        return False


def _config_beside(path: Path, config: Path | None) -> WindowConfig | None:
    """That of this product's window `default`, where the state file is this product's own; another app has none.

    The settings say which is which, and are read when an endpoint that judges by the rules is moved, not before.
    """
    settings = load_settings(config)
    own, windows_path = settings.cutover.path, settings.store.path
    if not windows_path.exists() or not own.exists() or not own.samefile(path):
        return None
    with closing(SQLiteStore(windows_path, busy_timeout_seconds=PATIENCE_SECONDS)) as windows:
        return default_config(windows)


def _own_store(config: Path | None, may_be_first: bool) -> tuple[CutoverStore, str]:
    """This product's. Before the first start, if that may be, it is one in memory."""
    settings = load_settings(config)
    path = settings.cutover.path
    if path.exists():
        return _store_in(path, config)
    there_is_none = f"there is no state file {path.absolute()}"
    if not may_be_first:
        raise SettingsError(
            f"{there_is_none}: the server makes it when it first starts; --config or --state name another"
        )
    with ctrl_c_just_ends():
        from fastapi_app.app import create_app  # noqa: PLC0415 - both stacks, before the first start alone
        from shared.ports import LivePorts  # noqa: PLC0415
        from shared.store.memory import MemoryStore  # noqa: PLC0415
    app = create_app(settings, live_ports=LivePorts(store=MemoryStore()))
    return app.cutover.store, f"as the first start would make it, for {there_is_none} yet"


def _end(sentence: str, exit_code: int = CANT_START_EXIT_CODE) -> NoReturn:
    typer.echo(f"tradewindow cutover: {sentence}", err=True)
    raise typer.Exit(exit_code)
