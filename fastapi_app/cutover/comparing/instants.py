"""Values of headers that tell when they were made: each side makes its own."""

import base64
import time
from email.utils import mktime_tz, parsedate_tz

MAX_SECONDS_BETWEEN = 60
"""A candidate runs behind its primary, under load by as much as its line is long."""

DAY_SECONDS = 86_400
"""What is further from now is no time at which something is signed."""

MIN_SIGNATURE_CHARACTERS = 20
"""itsdangerous writes 27 for SHA-1, its shortest."""

_CHARACTERS_OF_SECONDS = (6, 7)
"""Of four bytes, which last until 2106, and of five."""


def same_but_for_when_signed(ours: str, theirs: str) -> bool:
    """Whether both are signed with their time, as sessions of Flask and of Starlette are, and differ in that and the
    signature alone: `payload.time.signature`, with the time in base64, as itsdangerous writes it.

    A signature can't be judged without its key. So two of one second have to be equal, and a side with another key or
    another way to sign is found there.
    """
    *our_payload, our_time, our_signature = ("", "", *ours.split("."))
    *their_payload, their_time, their_signature = ("", "", *theirs.split("."))
    if our_payload != their_payload or our_signature == their_signature:
        return False
    if not MIN_SIGNATURE_CHARACTERS <= len(our_signature) == len(their_signature):
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
    try:
        return abs(mktime_tz(our_date) - mktime_tz(their_date)) <= MAX_SECONDS_BETWEEN
    except (ValueError, OverflowError):
        # Of a year that no calendar has.
        return False


def _seconds(text: str) -> int | None:
    if len(text) not in _CHARACTERS_OF_SECONDS:
        return None
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    seconds = int.from_bytes(decoded, "big")
    return seconds if abs(seconds - time.time()) <= DAY_SECONDS else None
