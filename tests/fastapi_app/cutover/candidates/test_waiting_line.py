"""Whose candidate is next, and who has no place."""

import contextvars
from collections.abc import Iterable

import pytest
from starlette.types import Message

from fastapi_app.bridge.trace import Trace
from fastapi_app.cutover.candidates.capture import Capture
from fastapi_app.cutover.candidates.pair import Pair
from fastapi_app.cutover.candidates.request_body import RequestBody, Room
from fastapi_app.cutover.candidates.waiting_line import WaitingLine
from fastapi_app.cutover.modes.plan import Plan
from shared.modes import EndpointMode


async def nothing() -> Message:
    raise AssertionError("the request was read already")


def pair(endpoint: str, body: bytes = b"") -> Pair:
    scope = {"http_version": "1.1", "headers": []}
    return Pair(
        plan=Plan(
            endpoint=endpoint,
            mode=EndpointMode(mode="shadow"),
            since=1,
            side="legacy",
            sample_rate=1.0,
            guarded=False,
        ),
        side="legacy",
        scope=scope,
        context=contextvars.copy_context(),
        request=RequestBody(scope, nothing, max_bytes=0, room=Room(0)),
        body=body,
        recording=None,
        answer=Capture(max_bytes=0),
        primary_trace=Trace(),
        candidate_trace=Trace(),
    )


def joined(line: WaitingLine, pairs: Iterable[Pair]) -> list[Pair]:
    """Those without a place."""
    return [left for each in pairs for left in line.join(each)]


def test_of_one_endpoint_the_first_come_is_served_first() -> None:
    line = WaitingLine(max_pairs=3, max_bytes=100)
    pairs = [pair("GET /a") for _ in range(3)]
    assert joined(line, pairs) == []
    assert [line.take() for _ in range(3)] == pairs
    assert (len(line), bool(line)) == (0, False)


def test_endpoints_take_turns() -> None:
    line = WaitingLine(max_pairs=10, max_bytes=100)
    joined(line, [*(pair("GET /slow") for _ in range(4)), pair("GET /a"), pair("GET /b"), pair("GET /a")])
    order = [line.take().plan.endpoint for _ in range(len(line))]
    assert order == ["GET /slow", "GET /a", "GET /b", "GET /slow", "GET /a", "GET /slow", "GET /slow"]


def test_where_it_is_full_the_longest_gives_the_place_of_its_newest() -> None:
    line = WaitingLine(max_pairs=4, max_bytes=100)
    slow = [pair("GET /slow") for _ in range(4)]
    joined(line, slow)
    assert line.is_full_for("GET /slow")
    assert not line.is_full_for("GET /a")
    assert joined(line, [pair("GET /a")]) == slow[3:]
    assert joined(line, [pair("GET /a")]) == slow[2:3]
    assert line.is_full_for("GET /a")
    late = pair("GET /a")
    assert joined(line, [late]) == [late]
    assert [line.take().plan.endpoint for _ in range(4)] == ["GET /slow", "GET /a", "GET /slow", "GET /a"]


def test_bytes_are_bounded_in_the_same_way() -> None:
    line = WaitingLine(max_pairs=100, max_bytes=10)
    slow = [pair("GET /slow", b"1234") for _ in range(2)]
    assert joined(line, slow) == []
    too_much = pair("GET /slow", b"123")
    assert joined(line, [too_much]) == [too_much]
    assert joined(line, [pair("GET /a", b"123")]) == slow[1:]
    assert line.bytes == 7


@pytest.mark.parametrize("waiting", [0, 2])
def test_one_that_is_larger_than_the_line_takes_nobody_s_place(waiting: int) -> None:
    line = WaitingLine(max_pairs=100, max_bytes=10)
    joined(line, [pair("GET /a", b"12345") for _ in range(waiting)])
    huge = pair("GET /b", b"12345678901")
    assert joined(line, [huge]) == [huge]
    assert len(line) == waiting


def test_all_of_them_can_leave() -> None:
    line = WaitingLine(max_pairs=10, max_bytes=100)
    pairs = [pair("GET /a", b"1"), pair("GET /b", b"2")]
    joined(line, pairs)
    assert list(line.leave()) == pairs
    assert (len(line), line.bytes) == (0, 0)


def test_one_for_whom_there_is_no_room_pushes_nobody_out() -> None:
    line = WaitingLine(max_pairs=1_000, max_bytes=80)
    joined(line, [pair("GET /large", b"x" * 50), *(pair("GET /small", b"1") for _ in range(30))])
    large = pair("GET /large", b"x" * 50)
    assert joined(line, [large]) == [large]
    assert (len(line), line.bytes) == (31, 80)
    assert [each.plan.endpoint for each in joined(line, [pair("GET /other", b"x" * 20)])] == ["GET /large"]


def test_what_an_app_sends_behind_its_end_does_not_change_the_count() -> None:
    line = WaitingLine(max_pairs=10, max_bytes=100)
    one = pair("GET /a", b"12")
    joined(line, [one])
    one.body = b"12345"
    line.take()
    assert line.bytes == 0
