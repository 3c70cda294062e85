"""Both stacks, six processes on one file, and a limit that is met exactly."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.servers import ALL_NATIVE, DEADLINE_SECONDS, new_app_under_uvicorn, old_backend, settings
from tests.e2e.state_file import check_books, read_books
from tests.e2e.traders import Answer, Client

LIMIT = 100
THREADS = 16
REFUSALS_EACH = 25


@pytest.mark.parametrize("side", ["legacy", "native"])
def test_a_limit_is_met_exactly_by_four_new_workers_and_the_old_backend_at_once(side: str, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    environ = settings(state, max_trades_per_day=LIMIT, modes=ALL_NATIVE if side == "native" else {})
    with (
        new_app_under_uvicorn(environ, tmp_path, workers=4) as new,
        old_backend(environ, tmp_path, workers=2, threads=THREADS // 2, preload=True) as old,
    ):
        # Six first starts at once, on a file that isn't there yet.
        new.launch()
        old.launch()
        new.wait_until_ready()
        old.wait_until_ready()
        answers = _hammer([new.port, old.port] * (THREADS // 2))
        assert "Traceback" not in new.output + old.output

    assert Counter(answer.status for answer in answers) == {201: LIMIT, 409: THREADS * REFUSALS_EACH}
    assert {answer.side for answer in answers} == {side, None}
    granted = [answer.body for answer in answers if answer.status == 201]
    assert sorted(body["trades_today"] for body in granted) == list(range(1, LIMIT + 1))
    assert all(body["remaining_trades"] == LIMIT - body["trades_today"] for body in granted)
    refusal = {"error": "daily trade limit of 100 reached", "trades_today": 100, "max_trades_per_day": 100}
    assert all(answer.body == refusal for answer in answers if answer.status == 409)
    books = read_books(state)
    check_books(books)
    assert {row.id for row in books.rows} == {body["trade"]["id"] for body in granted}
    assert len(books.rows) == books.trades_today == LIMIT


def _hammer(ports: list[int]) -> list[Answer]:
    """A thread a port, all off at once; each goes on until it was refused so many times."""
    start = threading.Barrier(len(ports))

    def trade(port: int) -> list[Answer]:
        client = Client(port)
        answers: list[Answer] = []
        start.wait(DEADLINE_SECONDS)
        try:
            while sum(answer.status == 409 for answer in answers) < REFUSALS_EACH:
                answers.append(client.post_trade())
                assert answers[-1].status in (201, 409), answers[-1]
        finally:
            client.close()
        return answers

    with ThreadPoolExecutor(len(ports)) as pool:
        return [answer for answers in pool.map(trade, ports) for answer in answers]
