"""Each row of how a2wsgi differs from gunicorn: the bridge answers as gunicorn does, or differs in just the way that
was accepted."""

from http import HTTPStatus

import pytest

from tests.bridge.accepted import ON_BOTH, ON_H11, ON_HTTPTOOLS, accepted
from tests.bridge.cases import CASES, Case
from tests.bridge.wire import Reply, differences, exchange
from tests.e2e.servers import Server


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_answers_as_gunicorn_does(
    case: Case, http: str, under_gunicorn: Server, request: pytest.FixtureRequest
) -> None:
    under_bridge: Server = request.getfixturevalue(f"under_{http}")
    assert_faithful(case, http, under_gunicorn, under_bridge)


def test_row_24_a_reason_of_its_own_is_lost(under_gunicorn: Server, under_httptools: Server) -> None:
    (case,) = [case for case in CASES if case.name == "own-reason"]
    assert exchange(under_gunicorn.port, case.request).reason == b"Fine And Dandy"
    assert exchange(under_httptools.port, case.request).reason == b"OK"


def test_every_accepted_difference_is_of_a_case() -> None:
    for each in (ON_BOTH, ON_HTTPTOOLS, ON_H11):
        assert each.keys() <= {case.id for case in CASES}
        assert all(difference.reason for difference in each.values())


def test_ids_are_unique_and_cover_every_row() -> None:
    ids = [case.id for case in CASES]
    assert len(set(ids)) == len(ids)
    # Those between are in test_disconnects.py.
    assert {case.row for case in CASES} == set(range(1, 41)) - set(range(13, 19))


def assert_faithful(case: Case, http: str, under_gunicorn: Server, under_bridge: Server) -> None:
    expected = _gunicorns_answer(case, under_gunicorn)
    answer = exchange(under_bridge.port, case.request, half_close=case.half_close)
    difference = accepted(case.id, http)
    assert differences(expected, answer) == (difference.differs if difference else {})
    # Row 24.
    assert answer.reason == (b"" if answer.status is None else HTTPStatus(answer.status).phrase.encode())


def _gunicorns_answer(case: Case, under_gunicorn: Server) -> Reply:
    """When it closes on a body that it didn't read, its answer is lost now and then (row 10)."""
    for _ in range(5):
        reply = exchange(under_gunicorn.port, case.request, half_close=case.half_close)
        if reply.body or reply.status is not None:
            break
    return reply
