"""Where an answer's Content-Length contradicts its own body."""

from fastapi_app.cutover.comparing.observation import Difference, SeenAnswer

PATH = "headers.content-length"

WITHOUT_CONTENT = frozenset({204, 304})
"""Statuses whose answers have no content: RFC 9110, 15.3.5 and 15.4.5."""


def length_difference(primary: SeenAnswer, candidate: SeenAnswer, *, method: str) -> Difference | None:
    """That one side's Content-Length contradicts its body, and the other's doesn't: clients wait for the rest, or cut
    it off.

    The answer to a HEAD contradicts none, for it says the length of what it leaves out; nor does one whose status has
    no content.
    """
    if method == "HEAD" or _contradicts(primary) is _contradicts(candidate):
        return None
    return Difference(path=PATH, primary=_told(primary), candidate=_told(candidate))


def _contradicts(answer: SeenAnswer) -> bool:
    said, size = _said(answer), str(len(answer.body))
    if said is None or said == size or answer.status in WITHOUT_CONTENT:
        return False
    # By its digits: there may be more of them than an int is read from.
    digits = said.strip()
    return (digits.lstrip("0") or digits[:1]) != size


def _said(answer: SeenAnswer) -> str | None:
    # The quickest way to a header: each comparison goes by here.
    return dict(answer.headers).get("content-length")


def _told(answer: SeenAnswer) -> str:
    return f"{_said(answer) or 'none'} for {len(answer.body)} bytes"
