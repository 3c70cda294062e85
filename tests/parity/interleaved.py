"""Callers that take turns: each goes on to its next call of store or broker, and a seed says whose turn it is.

Greenlets, for both sides, the blocking one and the awaited one, take turns alike in them, in one thread.
"""

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from shared.errors import OutcomeUnknown, StoreUnavailable

AWAY = StoreUnavailable("the disk is gone")
LOST = OutcomeUnknown("the connection was lost")


class Interleaved:
    """Adds callers, and events that happen in between, in their order; `run` runs them all to their end. `story` tells
    what happened, for the message of a test that fails."""

    def __init__(self, random: Random, *, crashes: bool = False, store_fails: bool = False, lost: bool = False) -> None:
        """With `crashes` a caller may never get another turn, with `store_fails` a call of the store may raise AWAY,
        and with `lost` a placing LOST, before or after it was carried out; while `run` runs."""
        self.random = random
        self.story: list[str] = []
        self._crashes = crashes
        self._store_fails = store_fails
        self._lost = lost
        self._hub: greenlet | None = None
        self._callers: list[tuple[str, greenlet]] = []
        self._events: list[tuple[str, Callable[[], object]]] = []

    def add(self, name: str, call: Callable[[], object]) -> None:
        """A caller may fail with what the store or the broker raises."""

        def begun() -> None:
            self._pause("begins")
            call()

        self._callers.append((name, greenlet(begun)))

    def in_between(self, name: str, event: Callable[[], object]) -> None:
        self._events.append((name, event))

    def store(self, whole: object) -> Any:
        return _Pausing(whole, self._call_store)

    def broker(self, whole: object) -> Any:
        return _Pausing(whole, self._call_broker)

    def run(self) -> None:
        self._hub = getcurrent()
        while self._callers:
            if self._events and self.random.random() < 0.12:
                name, event = self._events.pop(0)
                self.story.append(name)
                event()
                continue
            # Often the same one goes on, so that one is through before another has begun.
            turn = 0 if self.random.random() < 0.5 else self.random.randrange(len(self._callers))
            name, caller = self._callers.pop(turn)
            if self._crashes and self.random.random() < 0.02:
                self.story.append(f"{name} crashes")
                continue
            self.story.append(name)
            caller.switch()
            if not caller.dead:
                self._callers.insert(0, (name, caller))
        self._hub = None

    def _call_store(self, name: str, call: Callable[[], Any]) -> Any:
        self._pause(f"store.{name}")
        if self._hub is not None and self._store_fails and self.random.random() < 0.04:
            self.story.append("the store fails")
            raise AWAY.with_traceback(None)
        return call()

    def _call_broker(self, name: str, call: Callable[[], Any]) -> Any:
        self._pause(f"broker.{name}")
        fate = self.random.random() if self._hub is not None and self._lost and name.startswith("place") else 1.0
        if fate >= 0.25:
            return call()
        self.story.append("the answer is lost")
        if fate < 0.125:
            call()
        raise LOST.with_traceback(None)

    def _pause(self, what: str) -> None:
        if self._hub is not None and getcurrent() is not self._hub:
            self._hub.switch()
            self.story.append(f"  {what}")


class _Pausing:
    """Something with blocking methods and awaited ones, which call the blocking ones: none of them waits."""

    def __init__(self, whole: object, around: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._whole = whole
        self._around = around

    def __getattr__(self, name: str) -> Any:
        blocking = getattr(self._whole, name.removesuffix("_async"))
        if not callable(blocking):
            return blocking

        def call(*arguments: Any, **options: Any) -> Any:
            return self._around(name, lambda: blocking(*arguments, **options))

        async def call_async(*arguments: Any, **options: Any) -> Any:
            return call(*arguments, **options)

        return call_async if name.endswith("_async") else call


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it returns; nothing that it awaits may wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
