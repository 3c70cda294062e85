"""The cutover's store of this product, which keeps the old side from rules that it doesn't know."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from fastapi_app.cutover.store.base import ChangeRefused, ModeTable
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from fastapi_app.judging_endpoints import JUDGING_ENDPOINTS, served_by_legacy
from fastapi_app.window.calendars import load_calendar
from shared.errors import InvalidField, ServedByLegacy, SettingsError, StoreUnavailable, UnknownWindow
from shared.modes import EndpointMode
from shared.settings import Settings
from shared.store.base import Store
from shared.store.sqlite import SQLiteStore
from shared.window import DEFAULT_WINDOW_ID
from shared.window_config import WindowConfig


class FittingCutoverStore(SQLiteCutoverStore):
    """No judging endpoint leaves mode native while the window `default` has rules that the old side doesn't know,
    whoever moves it: a person by command or over HTTP, or the guard.

    `window_config` reads that window's; None where nothing is known, and then the old side judges nothing.
    """

    def __init__(self, path: Path, *, window_config: Callable[[], WindowConfig | None], **options: Any) -> None:
        super().__init__(path, **options)
        self._window_config = window_config

    def change(self, changes: Mapping[str, EndpointMode], **options: Any) -> ModeTable:
        if back := served_by_legacy(changes):
            _check_move(self._window_config(), back)
        return super().change(changes, **options)


def default_config(windows: Store) -> WindowConfig | None:
    """That of the window which the legacy routes serve; None where the store can't answer, or has no such window."""
    try:
        return windows.snapshot(DEFAULT_WINDOW_ID).config
    except (StoreUnavailable, UnknownWindow):
        return None


def check_seed(settings: Settings) -> None:
    """Raises SettingsError where the settings would make the window `default` with rules that the old side doesn't
    know, while it may have to judge by them, or with a calendar that can't be had here."""
    keys = settings.window.beyond_legacy
    if not keys or _is_known(settings.store.path):
        return
    legacy = EndpointMode(mode="legacy")
    modes = {name: settings.cutover.modes.get(name, legacy) for name in JUDGING_ENDPOINTS}
    if settings.cutover.path.exists():
        with closing(SQLiteCutoverStore(settings.cutover.path, only_existing=True)) as store:
            modes |= store.table().modes
    if endpoints := served_by_legacy(modes):
        raise SettingsError(
            f"window: {ServedByLegacy(keys, endpoints)} (or [cutover.modes] says so at the first start)"
        )
    if settings.window.calendar is not None:
        try:
            load_calendar(settings.window.calendar)
        except InvalidField as exc:
            raise SettingsError(f"window.{exc}") from exc


def _is_known(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(SQLiteStore(path)) as windows:
        return default_config(windows) is not None


def _check_move(config: WindowConfig | None, endpoints: tuple[str, ...]) -> None:
    if config is not None and config.beyond_legacy:
        raise ChangeRefused(
            f"the window {DEFAULT_WINDOW_ID!r} has rules that the old side doesn't know: "
            f"{', '.join(config.beyond_legacy)}; so these stay in mode native: {', '.join(endpoints)}. "
            f"To go back, take those keys out first: PUT /api/windows/{DEFAULT_WINDOW_ID}/config with their defaults",
            endpoints=endpoints,
        )
