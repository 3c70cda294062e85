"""How the old bot's process is told to end."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Protocol


class Stoppable(Protocol):
    @property
    def is_stopping(self) -> bool: ...

    def stop(self) -> None: ...


@contextlib.contextmanager
def stopped_by_signals(bot: Stoppable) -> Iterator[None]:
    """Ctrl-C and a service manager's stop let the cycle that is under way finish; a second one doesn't wait."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if bot.is_stopping:
            raise KeyboardInterrupt
        # Not from here: the main thread may hold the event's lock.
        threading.Thread(target=bot.stop).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
