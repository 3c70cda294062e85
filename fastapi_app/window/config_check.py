"""A config that was given, checked whole: also that its calendar is there, which only exchange_calendars can tell."""

import asyncio
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from fastapi_app.window.calendars import load_calendar
from shared.window_config import WindowConfig

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
