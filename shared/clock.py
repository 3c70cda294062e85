"""The port for time."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


def aware(instant: datetime) -> datetime:
    """The instant in UTC. A naive one raises ValueError: nobody can say when it is."""
    if instant.tzinfo is None:
        raise ValueError(f"instant: {instant.isoformat()} is not aware of its time zone")
    return instant.astimezone(UTC)


def utc_text(instant: datetime) -> str:
    """ISO 8601 in UTC, six decimals, Z. A naive instant raises ValueError."""
    return aware(instant).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to, backwards too."""

    def __init__(self, instant: datetime) -> None:
        self._instant = aware(instant)

    def now(self) -> datetime:
        return self._instant

    def set(self, instant: datetime) -> None:
        self._instant = aware(instant)

    def step(self, by: timedelta) -> None:
        self._instant += by
