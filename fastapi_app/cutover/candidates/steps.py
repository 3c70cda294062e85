"""How long a coroutine keeps the event loop to itself."""

import time
from collections.abc import Coroutine, Generator
from typing import Any


class Steps:
    """Awaits a coroutine. `longest_seconds` is the processor time of the longest of its steps from one wait to the
    next, in which nothing else had the loop; that of tasks which it starts isn't in it."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.longest_seconds = 0.0
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            begun = time.thread_time()
            try:
                waits_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration:
                return
            finally:
                self.longest_seconds = max(self.longest_seconds, time.thread_time() - begun)
                thrown = None
            try:
                yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as exc:
                thrown = exc
