"""When a zone's offset from UTC changes. `zoneinfo` only tells the offset at an instant: changes are searched for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from fastapi_app.window.micros import DAY, SECOND, Micros, instant_of, micros_of

OffsetSpan = tuple[Micros, Micros, Micros]
"""From, to before, and the offset in between: local = UTC + offset."""

_PIECE = 28 * DAY
_STEP = DAY // 2
"""The two closest changes that the IANA database records are four days apart (Africa/Freetown, 1939)."""

_FIRST, _LAST = micros_of(datetime(1, 1, 3, tzinfo=UTC)), micros_of(datetime(9999, 12, 29, tzinfo=UTC))
"""Where local datetimes end; no offset changes beyond."""


def offset_spans(zone: str, start: Micros, end: Micros) -> Iterator[OffsetSpan]:
    """What covers [start, end) without a gap, in order; neighbours may have the same offset."""
    for piece in range(start // _PIECE, -(-end // _PIECE)):
        for since, until, offset in _piece(zone, piece):
            if since < end and until > start:
                yield max(since, start), min(until, end), offset


def offset_span(zone: str, at: Micros) -> OffsetSpan:
    """One around an instant; the offset may be the same before and after it."""
    return next(span for span in _piece(zone, at // _PIECE) if at < span[1])


@lru_cache(maxsize=2048)
def _piece(zone: str, piece: int) -> tuple[OffsetSpan, ...]:
    info = ZoneInfo(zone)
    start, end = piece * _PIECE, (piece + 1) * _PIECE
    spans: list[OffsetSpan] = []
    since, offset = start, _offset(info, start)
    for sample in range(start + _STEP, end + 1, _STEP):
        before = sample - _STEP
        while _offset(info, sample) != offset:
            before = _first_change(info, before, sample)
            spans.append((since, before, offset))
            since, offset = before, _offset(info, before)
    if since < end:
        spans.append((since, end, offset))
    return tuple(spans)


def _first_change(info: ZoneInfo, before: Micros, after: Micros) -> Micros:
    """The whole second in (before, after] from which the offset is no longer that of `before`."""
    held = _offset(info, before)
    same, other = before // SECOND, after // SECOND
    while other - same > 1:
        middle = (same + other) // 2
        if _offset(info, middle * SECOND) == held:
            same = middle
        else:
            other = middle
    return other * SECOND


def _offset(info: ZoneInfo, micros: Micros) -> Micros:
    at = instant_of(min(max(micros, _FIRST), _LAST)).astimezone(info)
    offset = at.utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return (offset.days * 86_400 + offset.seconds) * SECOND
