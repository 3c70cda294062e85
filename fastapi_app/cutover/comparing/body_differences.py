"""Where two answers' bodies differ."""

import zlib
from collections.abc import Iterator

from fastapi_app.cutover.comparing.header_differences import is_json, media_type
from fastapi_app.cutover.comparing.json_differences import differences, only_candidate, only_primary, parse
from fastapi_app.cutover.comparing.observation import Difference, SeenAnswer

PATH = "body"

MAX_INFLATED_BYTES = 16 * 2**20
"""A compressed body that becomes larger is compared as it is."""

_WINDOW_BITS = {"gzip": (16 + zlib.MAX_WBITS,), "x-gzip": (16 + zlib.MAX_WBITS,), "deflate": (15, -15)}
"""Of a deflate body clients take both forms: RFC 9110, 8.4.1.2, and without the zlib header."""

_BEFORE, _AFTER = 40, 120
_BYTES_AROUND = 16


def body_differences(primary: SeenAnswer, candidate: SeenAnswer) -> Iterator[Difference]:
    """Equal bytes first; then gzip and deflate are undone; then as JSON, where one side says it is JSON and both can be
    read as that; then as text; then as bytes.

    As JSON the values count, since clients parse it: other white space, another order of keys, another escape is no
    difference, and neither is 0.1 against 0.10; 1 against 1.0 is, and 1 against true. Numbers are compared exactly, as
    decimals; NaN is NaN. With a key that comes twice in one object, or nested more deeply than the interpreter can
    follow, it is compared as text.

    Where one body can't be unpacked as its Content-Encoding says, and the other can, that is the difference: no client
    can read it. A coding other than gzip and deflate is not undone.
    """
    if primary.body == candidate.body:
        return
    unpacked, other_unpacked = _inflated(primary), _inflated(candidate)
    if (unpacked is None) is not (other_unpacked is None):
        yield Difference(path=PATH, primary=_packing(primary, unpacked), candidate=_packing(candidate, other_unpacked))
        return
    ours = primary.body if unpacked is None else unpacked
    theirs = candidate.body if other_unpacked is None else other_unpacked
    if ours == theirs:
        return
    if not ours or not theirs:
        text = (ours or theirs).decode(errors="backslashreplace")
        yield only_primary(PATH, text) if ours else only_candidate(PATH, text)
        return
    if is_json(media_type(primary.headers)) or is_json(media_type(candidate.headers)):
        try:
            yield from differences(PATH, parse(ours.decode()), parse(theirs.decode()))
        except (ValueError, ArithmeticError, RecursionError):
            # It is no JSON after all, or more than that.
            pass
        else:
            return
    yield _difference_of_texts(ours, theirs)


def _inflated(answer: SeenAnswer) -> bytes | None:
    """None where no client can unpack it."""
    sizes = _WINDOW_BITS.get(_coding(answer), ())
    if not sizes or not answer.body:
        return answer.body
    for bits in sizes:
        inflater = zlib.decompressobj(wbits=bits)
        try:
            body = inflater.decompress(answer.body, MAX_INFLATED_BYTES)
        except zlib.error:
            continue
        if inflater.eof:
            return answer.body if inflater.unused_data else body
        if len(body) >= MAX_INFLATED_BYTES:
            return answer.body
    return None


def _coding(answer: SeenAnswer) -> str:
    return next((value.strip().lower() for name, value in answer.headers if name == "content-encoding"), "")


def _packing(answer: SeenAnswer, unpacked: bytes | None) -> str:
    return "can be read" if unpacked is not None else f"is no {_coding(answer)}, though Content-Encoding says so"


def _difference_of_texts(ours: bytes, theirs: bytes) -> Difference:
    try:
        our_text, their_text = ours.decode(), theirs.decode()
    except ValueError:
        return _difference_of_bytes(ours, theirs)
    if "\0" in our_text or "\0" in their_text:
        return _difference_of_bytes(ours, theirs)
    place = _first_difference(our_text, their_text)
    line = our_text.count("\n", 0, place) + 1
    our_line, their_line = _around(our_text, place), _around(their_text, place)
    if our_line == their_line:
        # One text ends there, and the other has a newline.
        our_line += our_text[place : place + 1]
        their_line += their_text[place : place + 1]
    return Difference(path=PATH, primary=f"line {line}: {our_line}", candidate=f"line {line}: {their_line}")


def _around(text: str, place: int) -> str:
    """The line in which the place lies, or a part of it."""
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    first, last = max(start, place - _BEFORE), min(end, place + _AFTER)
    return f"{'…' if first > start else ''}{text[first:last]}{'…' if last < end else ''}"


def _difference_of_bytes(ours: bytes, theirs: bytes) -> Difference:
    place = _first_difference(ours, theirs)
    start = max(0, place - _BYTES_AROUND)
    return Difference(
        path=PATH,
        primary=f"byte {place}: {_hex(ours, start, place)}",
        candidate=f"byte {place}: {_hex(theirs, start, place)}",
    )


def _hex(body: bytes, start: int, place: int) -> str:
    """What is around the place, the bytes from it on in brackets; `[]` where the body ends before it."""
    return f"{body[start:place].hex(' ')} [{body[place : place + _BYTES_AROUND].hex(' ')}]".lstrip()


def _first_difference(ours: str | bytes, theirs: str | bytes) -> int:
    low, high = 0, min(len(ours), len(theirs))
    while low < high:
        middle = (low + high + 1) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
