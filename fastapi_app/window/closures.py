"""What keeps a trading window closed: each part of its schedule by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from fastapi_app.window.calendars import Sessions
from fastapi_app.window.micros import Interval, Micros, clipped, instant_of
from fastapi_app.window.weekly import WeekPart, end_of_occurrence, occurrences

ClosureCode = Literal["OUTSIDE_HOURS", "CALENDAR_CLOSED", "CALENDAR_UNKNOWN", "BLACKOUT"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Closure:
    """One part of a schedule that denies at an instant.

    `clears_at` is the first instant after it, in UTC, at which this part alone no longer denies; None when nobody knows
    one. `detail` is the bound in words: the hours, the calendar's code or the blackout's reason.
    """

    code: ClosureCode
    clears_at: datetime | None
    detail: str


class Part(Protocol):
    """A part of a schedule."""

    def denied(self, start: Micros, end: Micros) -> list[Interval]:
        """When within [start, end) it denies."""
        ...

    def closure(self, at: Micros) -> Closure:
        """Its closure at an instant at which it denies."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WeeklyDenial:
    """Denies in a part of each week, by the wall clock of a zone."""

    code: ClosureCode
    detail: str
    week: WeekPart
    zone: str

    def denied(self, start: Micros, end: Micros) -> list[Interval]:
        return occurrences(self.week, self.zone, start, end)

    def closure(self, at: Micros) -> Closure:
        return Closure(code=self.code, clears_at=self._clears_at(at), detail=self.detail)

    def _clears_at(self, at: Micros) -> datetime | None:
        try:
            end = end_of_occurrence(self.week, self.zone, at)
            return None if end is None else instant_of(end)
        except OverflowError:
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class OneDenial:
    """Denies once, from `start` to before `end`."""

    detail: str
    start: Micros
    end: Micros

    def denied(self, start: Micros, end: Micros) -> list[Interval]:
        return clipped(((self.start, self.end),), start, end)

    def closure(self, _at: Micros) -> Closure:
        return Closure(code="BLACKOUT", clears_at=instant_of(self.end), detail=self.detail)


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarDenial:
    """Denies while an exchange is closed, and where its calendar ends."""

    sessions: Sessions

    def denied(self, start: Micros, end: Micros) -> list[Interval]:
        return self.sessions.closed(start, end)

    def closure(self, at: Micros) -> Closure:
        known = self.sessions.known_from <= at < self.sessions.known_until
        clears_at = self.sessions.next_open(at)
        return Closure(
            code="CALENDAR_CLOSED" if known else "CALENDAR_UNKNOWN",
            clears_at=None if clears_at is None else instant_of(clears_at),
            detail=self.sessions.code,
        )
