"""`/api/trading-window/within-window`"""

from tests.parity.case import (
    NOT_FOUND,
    At,
    Case,
    HaltedBy,
    Left,
    MovedTo,
    Step,
    allows,
    get,
    head,
    head_of,
    not_allowed,
    ok,
    stray,
)

ASK = get("/api/trading-window/within-window")
OPEN = ok('{"within_window":true}')
CLOSED = ok('{"within_window":false}')


def at(instant: str, answer: object) -> tuple[Step, ...]:
    return At(instant), (ASK, OPEN if answer == "open" else CLOSED)


CASES = (
    Case(
        name="within-window: open from the first hour, closed from the last one",
        config={"start_hour": 9, "end_hour": 17},
        steps=(
            *at("2025-03-03T08:59:59.999999Z", "closed"),
            *at("2025-03-03T09:00:00Z", "open"),
            *at("2025-03-03T16:59:59.999999Z", "open"),
            *at("2025-03-03T17:00:00Z", "closed"),
            *at("2025-03-04T00:00:00Z", "closed"),
        ),
    ),
    Case(
        name="within-window: the defaults are always open",
        steps=(*at("2025-03-03T00:00:00Z", "open"), *at("2025-03-03T23:59:59.999999Z", "open")),
    ),
    Case(
        name="within-window: start after end is never open",
        config={"start_hour": 22, "end_hour": 6},
        steps=tuple(step for hour in range(24) for step in at(f"2025-03-03T{hour:02}:30:00Z", "closed")),
    ),
    Case(
        name="within-window: start at end is never open",
        config={"start_hour": 12, "end_hour": 12},
        steps=(
            *at("2025-03-03T11:59:59Z", "closed"),
            *at("2025-03-03T12:00:00Z", "closed"),
            *at("2025-03-03T13:00:00Z", "closed"),
        ),
    ),
    Case(
        name="within-window: an end at 0 is never open, a start at 23 is open for an hour",
        config={"start_hour": 23, "end_hour": 24},
        steps=(
            *at("2025-03-03T22:59:59Z", "closed"),
            *at("2025-03-03T23:00:00Z", "open"),
            *at("2025-03-04T00:00:00Z", "closed"),
        ),
    ),
    Case(
        name="within-window: the hour is that of the zone, also where zones differ by half an hour",
        config={"start_hour": 9, "end_hour": 17, "timezone": "Asia/Kolkata"},
        steps=(
            *at("2025-03-03T03:29:59Z", "closed"),
            *at("2025-03-03T03:30:00Z", "open"),
            *at("2025-03-03T11:29:59Z", "open"),
            *at("2025-03-03T11:30:00Z", "closed"),
            MovedTo("Europe/Stockholm"),
            *at("2025-03-03T07:59:59Z", "closed"),
            *at("2025-03-03T08:00:00Z", "open"),
            MovedTo("America/New_York"),
            *at("2025-03-03T13:59:59Z", "closed"),
            *at("2025-03-03T14:00:00Z", "open"),
        ),
        leaves=Left(version=3, config={"timezone": "America/New_York"}),
    ),
    Case(
        name="within-window: an hour that spring skips in Stockholm is not open that day",
        config={"start_hour": 2, "end_hour": 3, "timezone": "Europe/Stockholm"},
        steps=(
            *at("2025-03-29T01:30:00Z", "open"),
            *at("2025-03-30T00:59:59.999999Z", "closed"),
            *at("2025-03-30T01:00:00Z", "closed"),
            *at("2025-03-30T01:30:00Z", "closed"),
            *at("2025-03-31T00:30:00Z", "open"),
        ),
    ),
    Case(
        name="within-window: an hour that autumn repeats in Stockholm is open twice",
        config={"start_hour": 2, "end_hour": 3, "timezone": "Europe/Stockholm"},
        steps=(
            *at("2025-10-25T23:59:59Z", "closed"),
            *at("2025-10-26T00:00:00Z", "open"),
            *at("2025-10-26T00:59:59Z", "open"),
            *at("2025-10-26T01:00:00Z", "open"),
            *at("2025-10-26T01:59:59Z", "open"),
            *at("2025-10-26T02:00:00Z", "closed"),
        ),
    ),
    Case(
        name="within-window: New York opens an hour earlier in UTC from March on, and later from November",
        config={"start_hour": 9, "end_hour": 16, "timezone": "America/New_York"},
        steps=(
            *at("2025-03-07T13:59:59Z", "closed"),
            *at("2025-03-07T14:00:00Z", "open"),
            *at("2025-03-10T12:59:59Z", "closed"),
            *at("2025-03-10T13:00:00Z", "open"),
            *at("2025-10-31T19:59:59Z", "open"),
            *at("2025-10-31T20:00:00Z", "closed"),
            *at("2025-11-03T20:59:59Z", "open"),
            *at("2025-11-03T21:00:00Z", "closed"),
        ),
    ),
    Case(
        name="within-window: neither the count nor a halt closes it",
        trade_day="2025-03-03",
        trades_today=5,
        steps=((ASK, OPEN), HaltedBy("maintenance"), (ASK, OPEN)),
        leaves=Left(trade_day="2025-03-03", trades_today=5, halt="maintenance"),
    ),
    Case(
        name="within-window: HEAD, OPTIONS, other methods and slashes",
        steps=(
            (head("/api/trading-window/within-window"), head_of(OPEN)),
            (stray("OPTIONS", "/api/trading-window/within-window"), allows("GET, HEAD, OPTIONS")),
            (stray("POST", "/api/trading-window/within-window"), not_allowed("GET, HEAD, OPTIONS")),
            (stray("GET", "/api/trading-window/within-window/"), NOT_FOUND),
        ),
        rows=(2, 33, 35, 36),
    ),
)
