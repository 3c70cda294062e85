"""Where `tradewindow bot replay` leaves what it does: in memory, or in a file that belongs to this one replay."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fastapi_app.bot.replay import ReplayStores
from shared.bot.control import OWNED_BY_REPLAY, config_of
from shared.bot.store.base import BotRow, Step
from shared.candle import Candle
from shared.errors import SettingsError
from shared.settings import Settings

_BEGUN = "first_candles"
"""The key under which it says with which candle each of its files begins."""


@contextmanager
def replay_stores(state: Path | None, settings: Settings, file: Path, first: Candle) -> Iterator[ReplayStores]:
    """`first` is the candle with which `file` begins. Raises SettingsError for a state that is a server's, another
    replay's, of other candles, or in use by another process; and StoreUnavailable."""
    with ExitStack() as opened:
        if state is None:
            yield opened.enter_context(closing(ReplayStores.in_memory(settings.broker)))
            return
        _refuse_the_servers(state, settings.store.path)
        opened.enter_context(_alone(state))
        stores = opened.enter_context(closing(ReplayStores.in_file(state, settings.broker)))
        is_used = stores.bot.read().version == 0 and bool(stores.windows.window_ids())
        stores.bot.change(_owned(state, _told(settings), is_used=is_used))
        stores.bot.change(_begun(state, settings.bot.symbols[0], file, first))
        yield stores


def _refuse_the_servers(state: Path, servers: Path) -> None:
    if not state.absolute().parent.is_dir():
        raise SettingsError(f"--state: there is no folder {state.absolute().parent}")
    if state.is_dir():
        raise SettingsError(f"--state: {state} is a folder, and a file is needed")
    if state.absolute() == servers.absolute() or (state.exists() and servers.exists() and state.samefile(servers)):
        raise SettingsError(f"--state: {state} is the server's own file (store.path); a replay needs one of its own")


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    lock = FileLock(f"{state}.replay-lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(f"--state: another process replays on {state}; let it end, or stop it") from None
    except OSError as exc:
        raise SettingsError(f"--state: {state} can't be written: {exc.strerror}") from exc
    try:
        yield
    finally:
        lock.release()


def _told(settings: Settings) -> dict[str, Any]:
    """What has to be equal for one replay to go on where another ended, by section."""
    own = config_of(settings.bot)
    return {
        "bot": {key: value for key, value in own.items() if key not in ("cycle_seconds", "lease_seconds")},
        "window": settings.window.model_dump(mode="json"),
        "broker": settings.broker.model_dump(mode="json", include={"balances", "quanta", "fee_rate", "slippage_rate"}),
    }


def _owned(state: Path, wanted: Mapping[str, Mapping[str, Any]], *, is_used: bool) -> Step:
    def step(row: BotRow) -> BotRow:
        if row.version == 0 and not is_used:
            return replace(row, config={OWNED_BY_REPLAY: wanted})
        if row.config is None or OWNED_BY_REPLAY not in row.config:
            raise SettingsError(f"--state: {state} is a server's state; a replay needs a file of its own")
        for section, values in wanted.items():
            for key, value in values.items():
                before = row.config[OWNED_BY_REPLAY][section].get(key)
                if before != value:
                    raise SettingsError(
                        f"--state: {state} holds a replay with {section}.{key} {before}, and this one has {value}; "
                        "give the same settings, or another file"
                    )
        return row

    return step


def _begun(state: Path, symbol: str, file: Path, first: Candle) -> Step:
    """A file that begins after what was taken in goes on from there: it is what the market did afterwards."""
    begins = f"{first.timestamp.isoformat()},{','.join(map(str, first[1:]))}"

    def step(row: BotRow) -> BotRow:
        config = dict(row.config or {})
        taken_in = (row.state or {}).get("candles", {}).get(symbol)
        files = [] if taken_in is None else list(config.get(_BEGUN, [begins]))
        if begins not in files:
            if taken_in is not None and first.timestamp <= datetime.fromisoformat(taken_in):
                raise SettingsError(
                    f"--state: {state} holds a replay of candles that begin with {files[0]}, and {file} begins with "
                    f"{begins}; give the same candles, or another file"
                )
            files.append(begins)
        return replace(row, config={**config, _BEGUN: files})

    return step
