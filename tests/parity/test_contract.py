"""No endpoint of the contract is left out: neither of the list that the tests go by, nor of the tour that the
transparency test makes in every mode, nor of the load test."""

import random
import re
from pathlib import Path

import pytest

from tests.e2e import visitors
from tests.parity import tour
from tests.parity.case import Request
from tests.parity.endpoints import BOTH_SIDES, endpoint_of

PAGE = Path(__file__).parents[3] / "shared/legacy-contract.md"


def test_the_list_has_the_rows_of_the_page() -> None:
    if not PAGE.exists():
        pytest.skip(f"the contract isn't at {PAGE}")
    rows = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(BOTH_SIDES)


def test_the_tour_asks_each_once() -> None:
    assert sorted(endpoint_of(request) for request in tour.REQUESTS) == sorted(BOTH_SIDES)


def test_the_clients_of_the_load_test_ask_them_all() -> None:
    draw = random.Random(1)
    asked = [visitors.drawn(draw) for _ in range(5_000)]
    requests = [Request(method=each.method, target=each.path) for each in asked]
    assert {endpoint_of(request) for request in requests} == set(BOTH_SIDES)
