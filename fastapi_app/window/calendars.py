"""Exchange calendars: what the library exchange_calendars knows of one, as plain numbers.

The library is an extra and heavy (0.5 s, 70 MB): nothing here imports it before a calendar is asked for, and no
question about an instant goes through it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fastapi_app.window.micros import Interval, Micros, clipped, complement, union
from shared.errors import CalendarUnavailable, InvalidField

FIRST_DAY = "2010-01-01"

_WITHOUT_THE_EXTRA = (
    "usable without the extra \"calendars\": pip install 'trading-window[calendars]', or in a checkout "
    "pip install -e '.[calendars]'"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sessions:
    """The sessions of one calendar from 2010 to about a year after it was loaded.

    `opening` is when the exchange is open: from each open to before the close, without the breaks; a break's start is
    closed, its end open. Outside [known_from, known_until), the first session's open and the last one's close, nobody
    knows. Each session has its open in `opens` and its date, as the library labels it, in `labels`.
    """

    code: str
    opening: tuple[Interval, ...]
    opens: tuple[Micros, ...]
    labels: tuple[str, ...]

    @property
    def known_from(self) -> Micros:
        return self.opening[0][0]

    @property
    def known_until(self) -> Micros:
        return self.opening[-1][1]

    def closed(self, start: Micros, end: Micros) -> list[Interval]:
        """When within [start, end) it is closed or unknown."""
        first = max(self._opened_until(start) - 1, 0)
        last = bisect_left(self.opening, (end, end))
        return complement(clipped(self.opening[first:last], start, end), start, end)

    def next_open(self, at: Micros) -> Micros | None:
        """The first opening after `at`, a break's end too."""
        following = self._opened_until(at)
        return self.opening[following][0] if following < len(self.opening) else None

    def _opened_until(self, at: Micros) -> int:
        """How many openings began at `at` or before."""
        return bisect_left(self.opening, (at + 1, at))


def load_calendar(code: str) -> Sessions:
    """Loaded once a process: the first call takes up to a few seconds, later ones nothing. For several threads at once.

    An alias of the library will do. Raises InvalidField for a code that the library doesn't know or can't work out,
    and where it isn't installed.
    """
    loaded = _loaded.get(code)
    if loaded is not None:
        return loaded
    with _loading:
        if code not in _loaded:
            _loaded[code] = _compiled(code, _from_the_library(code))
        return _loaded[code]


def calendar_of(code: str) -> Sessions:
    """As `load_calendar`, for a code that was accepted once. Raises CalendarUnavailable."""
    try:
        return load_calendar(code)
    except InvalidField as exc:
        raise CalendarUnavailable(code, str(exc)) from exc.__cause__


_loaded: dict[str, Sessions] = {}
_loading = Lock()


def _from_the_library(code: str) -> Any:
    try:
        from exchange_calendars import errors, get_calendar  # noqa: PLC0415
    except ImportError:
        raise InvalidField("calendar", code, _WITHOUT_THE_EXTRA) from None
    try:
        try:
            return get_calendar(code, start=FIRST_DAY)
        except ValueError:  # of a calendar that starts later, as it does by default
            return get_calendar(code)
    except errors.InvalidCalendarName as exc:
        raise InvalidField(
            "calendar", code, "the code of a calendar that exchange_calendars knows, such as XSTO"
        ) from exc
    except (ValueError, LookupError, NotImplementedError) as exc:
        raise InvalidField("calendar", code, "a calendar that exchange_calendars can work out here") from exc


def _compiled(code: str, calendar: Any) -> Sessions:
    schedule = calendar.schedule
    columns = [_micros(schedule[column]) for column in ("open", "break_start", "break_end", "close")]
    labels = tuple(str(label.date()) for label in schedule.index)
    opens = tuple(row for row in columns[0] if row is not None)
    return Sessions(code=code, opening=tuple(union(_pieces(columns))), opens=opens, labels=labels)


def _pieces(columns: list[list[Micros | None]]) -> Iterator[Interval]:
    for begin, break_start, break_end, close in zip(*columns, strict=True):
        assert begin is not None  # noqa: S101 - every session has both
        assert close is not None  # noqa: S101
        if break_start is None or break_end is None:
            yield begin, close
        else:
            yield begin, break_start
            yield break_end, close


def _micros(column: Any) -> list[Micros | None]:
    return [None if missing else moment.value // 1000 for moment, missing in zip(column, column.isna(), strict=True)]
