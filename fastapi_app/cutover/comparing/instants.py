"""Values of headers that tell when they were made: each side makes its own."""

import base64
from email.utils import mktime_tz, parsedate_tz

MAX_SECONDS_BETWEEN = 60
"""A candidate runs behind its primary, under load by as much as its line is long."""

_MAX_CHARACTERS_OF_SECONDS = 8
_EARLIEST_SECONDS = 1_000_000_000
"""Of 2001; what is smaller counts something else."""


def same_but_for_when_signed(ours: str, theirs: str) -> bool:
    """Whether both are signed with their time, as sessions of Flask and of Starlette are, and differ in that and the
    signature alone: `payload.time.signature`, with the time in base64, as itsdangerous writes it.

    A signature can't be judged without its key. So two of one second have to be equal, and a side with another key or
    another way to sign is found there.
    """
    *our_payload, our_time, our_signature = ("", "", *ours.split("."))
    *their_payload, their_time, their_signature = ("", "", *theirs.split("."))
    if our_payload != their_payload or len(our_signature) != len(their_signature):
        return False
    our_seconds, their_seconds = _seconds(our_time), _seconds(their_time)
    if our_seconds is None or their_seconds is None:
        return False
    return 0 < abs(our_seconds - their_seconds) <= MAX_SECONDS_BETWEEN


def same_date(ours: str | None, theirs: str | None) -> bool:
    """Whether two HTTP dates are equal, or so close that both may be counted from now."""
    if ours == theirs:
        return True
    our_date, their_date = parsedate_tz(ours or ""), parsedate_tz(theirs or "")
    if our_date is None or their_date is None:
        return False
    return abs(mktime_tz(our_date) - mktime_tz(their_date)) <= MAX_SECONDS_BETWEEN


def _seconds(text: str) -> int | None:
    if not text or len(text) > _MAX_CHARACTERS_OF_SECONDS:
        return None
    try:
        seconds = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    except ValueError:
        return None
    return seconds if seconds >= _EARLIEST_SECONDS else None
