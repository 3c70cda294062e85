"""A recorded request, the face of a candidate on it, and services that count their calls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.recording import Recording
from shared.replaying import Replay
from tests.shared.recorded import Face, World

NOTHING: dict[str, Any] = {"windows": {}, "ledger": {}, "calls": []}
AT_NOON = "2025-03-03T12:00:00.000000Z"
A_MINUTE = timedelta(minutes=1)


class Services:
    """Each call is answered with the next number, so that a live call is seen."""

    def __init__(self) -> None:
        self.calls = 0

    def place(self, **_arguments: Any) -> int:
        self.calls += 1
        return self.calls

    def price(self, symbol: str) -> dict[str, Any]:
        if symbol == "gone":
            raise LookupError("no such symbol")
        self.calls += 1
        return {"symbol": symbol, "price": self.calls}


class Stage:
    """One recorded request, and the face of a candidate on it."""

    def __init__(self, world: World, *, awaited: bool, replay: Callable[[Recording], Replay]) -> None:
        self.world = world
        self._awaited = awaited
        self._replay = replay

    async def primary(self) -> tuple[Face, Recording]:
        ports, recording = await self.world.record()
        return Face(ports, awaited=self._awaited), recording

    def candidate(self, recording: Recording) -> tuple[Face, Replay]:
        replay = self._replay(recording)
        return Face(replay.ports, awaited=self._awaited), replay
