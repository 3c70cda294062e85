"""How long a coroutine keeps the event loop to itself, and whether it cancels its own task."""

import asyncio
import time
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Steps(Generic[T]):
    """Awaits a coroutine. `longest_seconds` is the processor time of the longest of its steps from one wait to the
    next, in which nothing else had the loop; that of tasks which it starts isn't in it. `cancelled_itself` tells that
    it has asked for the cancellation of the task that awaits it, so that it comes from nobody else."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.longest_seconds = 0.0
        self.cancelled_itself = False
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        thrown: BaseException | None = None
        while True:
            asked = cancelling()
            begun = time.thread_time()
            try:
                waits_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as ended:
                result: T = ended.value
                return result
            finally:
                self.longest_seconds = max(self.longest_seconds, time.thread_time() - begun)
                self.cancelled_itself = self.cancelled_itself or cancelling() > asked
                thrown = None
            try:
                yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as exc:
                thrown = exc


def is_made_to_end(exc: BaseException) -> bool:
    """Whether the current task ends by this because somebody else ends it, such as a server that stops. SystemExit is
    an app's own, and so is a CancelledError for which nobody has asked: it awaits a task that it has cancelled."""
    return isinstance(exc, GeneratorExit) or (isinstance(exc, asyncio.CancelledError) and cancelling() > 0)


def cancelling() -> int:
    """How often the current task was asked to end. The task itself is held by no frame of `Steps`: a traceback leads
    there, and asyncio tells what a task has raised once nobody holds it."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
