"""The schedule of a trading window: when its rules let a bot trade."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, chain, islice
from operator import xor

from fastapi_app.window.by_identity import cached_by_identity
from fastapi_app.window.calendars import Sessions, calendar_of
from fastapi_app.window.closures import CalendarDenial, Closure, OneDenial, Part, WeeklyDenial
from fastapi_app.window.micros import Micros, instant_of, micros_of, union
from fastapi_app.window.timeline import PIECE_DAYS, Timeline
from fastapi_app.window.weekly import WHOLE_WEEK, daily_part, in_words, rest_of_week, week_part
from shared.clock import aware, utc_text
from shared.window_config import WindowConfig

__all__ = ["Closure", "Schedule", "Turn", "schedule_of", "trading_hours"]

WARNS_BEFORE = timedelta(days=30)
"""How long before the end of what a calendar knows the operator is warned."""


PIECE_EDGES = 1000
"""About so many edges are compiled at once, if it isn't those of a single day; that takes a few milliseconds."""

Denying = int
"""The parts that deny, one bit each: a schedule may have 1,500 of them, and another set of them each minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """An instant, in UTC, at which a window opens or closes."""

    at: datetime
    opens: bool


class Schedule:
    """Open within the hours, while the calendar's exchange is open and outside every blackout; at each start open,
    or in a blackout, and at each end no longer.

    Hours and weekly blackouts go by the clock on the wall (see weekly.py), a calendar by its library, and where the
    calendar knows nothing the answer is no. Instants go in aware, or raise TypeError or ValueError, and come out in
    UTC. For several threads at once; `schedule_of` makes one.
    """

    def __init__(
        self, parts: Sequence[Part], sessions: Sessions | None, *, never_opens: bool, piece_days: int = PIECE_DAYS
    ) -> None:
        """`parts` deny in this order; `never_opens` spares the search for an opening that can't be; so many days are
        compiled at once."""
        self._parts = tuple(parts)
        self._sessions = sessions
        self._never_opens = never_opens
        self._timeline = Timeline(self._denials, piece_days=piece_days)
        self._last_closures: tuple[datetime, datetime, tuple[Closure, ...]] | None = None
        self._last_turn: tuple[datetime, datetime, Turn | None] | None = None

    def is_open(self, at: datetime) -> bool:
        return not self._timeline.at(at)

    def closures(self, at: datetime) -> tuple[Closure, ...]:
        """Every part that denies at this instant: hours, calendar, then blackouts as the config lists them, the weekly
        ones last."""
        if not self._timeline.at(at):
            return ()
        last = self._last_closures
        if last is not None and last[0] <= at < last[1]:
            return last[2]
        since, until, denying = self._timeline.span(at)
        instant = micros_of(at)
        closures = tuple(part.closure(instant) for number, part in enumerate(self._parts) if denying >> number & 1)
        self._last_closures = (since, until, closures)
        return closures

    def next_open(self, at: datetime) -> datetime | None:
        """The first instant from `at` on at which it is open; None without one in the next ten years."""
        if self.is_open(at):
            return aware(at)
        turn = self._next_turn(at)
        return None if turn is None else turn.at

    def next_close(self, at: datetime) -> datetime | None:
        """The first instant from `at` on at which it is closed; None without one in the next ten years."""
        if not self.is_open(at):
            return aware(at)
        turn = self._next_turn(at)
        return None if turn is None else turn.at

    def upcoming(self, at: datetime, limit: int) -> tuple[Turn, ...]:
        """The next opens and closes after `at`, at most `limit` of them and none beyond ten years."""
        return tuple(islice(self._turns(at), limit))

    @property
    def known_until(self) -> datetime | None:
        """The last close that the calendar knows, from which on the window stays closed; None without a calendar."""
        return None if self._sessions is None else instant_of(self._sessions.known_until)

    def warning(self, at: datetime) -> str | None:
        """What the operator should know: from thirty days before `known_until` on that the calendar ends, and that no
        opening is known from `at` on, where there is none."""
        sentences = []
        if self._sessions is not None and self.known_until is not None and at >= self.known_until - WARNS_BEFORE:
            sentences.append(
                f"the calendar {self._sessions.code} is known until {utc_text(self.known_until)}, and from then on the "
                "window stays closed: restart the process, with a newer exchange_calendars if that doesn't move the "
                "date"
            )
        if self.next_open(at) is None:
            parts = "hours, calendar and blackouts" if self._sessions is not None else "hours and blackouts"
            sentences.append(f"no opening is known from {utc_text(at)} on: {parts} leave none")
        return "; ".join(sentences) or None

    def _next_turn(self, at: datetime) -> Turn | None:
        last = self._last_turn
        if last is not None and last[0] <= at < last[1]:
            return last[2]
        since, until, _ = self._timeline.span(at)
        turn = next(self._turns(at), None)
        self._last_turn = (since, until, turn)
        return turn

    def _turns(self, at: datetime) -> Iterator[Turn]:
        opened = self.is_open(at)
        if self._never_opens or not self._parts:
            return
        known_until = self.known_until
        for change, denying in self._timeline.changes(at):
            if known_until is not None and change > known_until:
                return
            if opened is bool(denying):
                opened = not opened
                yield Turn(at=change, opens=opened)

    def _denials(self, start: Micros, end: Micros) -> Sequence[tuple[Micros, Denying]]:
        """Who denies from `start` on, and from each instant within the range at which that changes."""
        toggled: dict[Micros, Denying] = {start: 0}
        for number, part in enumerate(self._parts):
            for edge in chain.from_iterable(part.denied(start, end)):
                toggled[edge] = toggled.get(edge, 0) ^ 1 << number
        edges = sorted(edge for edge in toggled if edge < end)
        return list(zip(edges, accumulate((toggled[edge] for edge in edges), xor), strict=True))


@cached_by_identity
def schedule_of(config: WindowConfig) -> Schedule:
    """A config's schedule, made once for each object. Raises CalendarUnavailable."""
    hours = _hours(config)
    weekly_blackouts = [
        WeeklyDenial(code="BLACKOUT", detail=blackout.reason, week=week_part((blackout,)), zone=config.timezone)
        for blackout in config.weekly_blackouts
    ]
    weekly = [hours, *weekly_blackouts]
    never_opens = tuple(union(piece for denial in weekly for piece in denial.week)) == WHOLE_WEEK
    sessions = None if config.calendar is None else calendar_of(config.calendar)
    parts: list[Part] = [hours] if hours.week else []
    if sessions is not None:
        parts.append(CalendarDenial(sessions=sessions))
    parts.extend(
        OneDenial(detail=blackout.reason, start=micros_of(blackout.start), end=micros_of(blackout.end))
        for blackout in config.blackouts
    )
    edges_a_week = sum(2 * len(denial.week) for denial in weekly)
    piece_days = max(1, min(PIECE_DAYS, 7 * PIECE_EDGES // max(edges_a_week, 1)))
    return Schedule([*parts, *weekly_blackouts], sessions, never_opens=never_opens, piece_days=piece_days)


def trading_hours(config: WindowConfig) -> str:
    """In words: such as "9:00 - 17:00", or "mon-fri 22:00 - 06:00 Europe/Stockholm" where there are intervals."""
    if config.intervals:
        return in_words(config.intervals, config.timezone)
    return f"{config.start_hour}:00 - {config.end_hour}:00"


def _hours(config: WindowConfig) -> WeeklyDenial:
    open_part = week_part(config.intervals) if config.intervals else daily_part(config.start_hour, config.end_hour)
    return WeeklyDenial(
        code="OUTSIDE_HOURS", detail=trading_hours(config), week=rest_of_week(open_part), zone=config.timezone
    )
