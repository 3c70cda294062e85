"""A config that was given, checked whole: also that its calendar is there, which only exchange_calendars can tell, and
whether it ever opens."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

from fastapi_app.window.calendars import load_calendar
from fastapi_app.window.schedule import schedule_of
from shared.errors import CalendarUnavailable
from shared.window_config import WindowConfig

logger = logging.getLogger(__name__)

_CALENDAR = "calendar"
_BEFORE_IT = tuple(takewhile(lambda key: key != _CALENDAR, WindowConfig.model_fields))


async def checked(config: WindowConfig, changes: Mapping[str, Any]) -> WindowConfig:
    """The config with some keys replaced, its calendar loaded. Raises InvalidField for the first wrong key in the
    config's order."""
    code = changes.get(_CALENDAR)
    if isinstance(code, str):
        config.changed({key: changes[key] for key in _BEFORE_IT if key in changes})
        # It takes a second, which is no time to be spent on the event loop, or in a write.
        await asyncio.to_thread(load_calendar, code)
    return config.changed(changes)


async def warn_if_closed_for_good(window_id: str, config: WindowConfig, at: datetime) -> None:
    """Logs that a window with this config has no opening from `at` on that anybody knows. It is a legal config."""
    try:
        # Ten years of blackouts are no matter for the event loop.
        warning = await asyncio.to_thread(_no_opening, config, at)
    except CalendarUnavailable:
        # The watch over the calendars says so.
        return
    if warning is not None:
        logger.warning("window %r: %s", window_id, warning)


def _no_opening(config: WindowConfig, at: datetime) -> str | None:
    schedule = schedule_of(config)
    return schedule.warning(at) if schedule.next_open(at) is None else None
