"""Time that is given to what runs on an event loop."""

import asyncio
from collections.abc import Callable

PARTS = 5


class Patience:
    """Calls `when_over` after so many seconds. They are counted in `PARTS`: of a stretch in which somebody holds up the
    loop no more than one part counts, for in that nothing on it could go on."""

    def __init__(self, seconds: float, when_over: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._part_seconds = seconds / PARTS
        self._when_over = when_over
        self._parts_left = PARTS
        self._timer = self._loop.call_later(self._part_seconds, self._count)

    def end(self) -> None:
        self._timer.cancel()

    def _count(self) -> None:
        self._parts_left -= 1
        if self._parts_left:
            self._timer = self._loop.call_later(self._part_seconds, self._count)
        else:
            self._when_over()
