"""Endpoints that the newest start doesn't have, while a server that started before may still serve them."""

import pytest

from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import answer, output, rows
from tests.fastapi_app.cutover.store.helpers import (
    BOTH,
    CANARY,
    INSTANT,
    LEGACY,
    NATIVE,
    NEW,
    OLD,
    OTHER,
    endpoint,
)

OF_ANOTHER_APP = endpoint("GET /another")
GONE = "(not among the endpoints of the process that started last)"


@pytest.fixture
def store(store: SQLiteCutoverStore) -> SQLiteCutoverStore:
    """On which another app was started while one endpoint was in native and one in canary."""
    store.change({BOTH.name: NATIVE, OTHER.name: CANARY}, author="ann", reason="proved", at=INSTANT)
    store.register([OF_ANOTHER_APP], {}, at=INSTANT)
    return store


def test_all_of_it_goes_back_also_what_an_earlier_process_still_serves(store: SQLiteCutoverStore) -> None:
    store.change({OF_ANOTHER_APP.name: NATIVE}, author="ann", reason="proved", at=INSTANT)
    assert output(store, "set", "--all", "legacy", "--reason", "back").splitlines() == [
        "GET /another: native → legacy",
        f"GET /api/both: native → legacy {GONE}",
        f"POST /api/other: canary 5% → legacy {GONE}",
        f"The table is at version 5, in {store.path}.",
    ]
    modes = store.table().modes
    assert (modes[BOTH.name], modes[OTHER.name], modes[NEW.name]) == (LEGACY, LEGACY, NATIVE)


def test_forward_goes_what_the_newest_start_has_and_no_more(store: SQLiteCutoverStore) -> None:
    assert output(store, "set", "--all", "shadow", "--reason", "first look").splitlines() == [
        "GET /another: legacy → shadow",
        f"The table is at version 4, in {store.path}.",
    ]


def test_list_marks_what_is_gone_and_not_in_legacy(store: SQLiteCutoverStore) -> None:
    shown = rows(output(store, "list"))
    assert [row[:3] for row in shown[2:5]] == [
        ["GET /another", "both", "legacy"],
        ["GET /api/both", "both", "native, gone"],
        ["POST /api/other", "both", "canary 5%, gone"],
    ]
    assert shown[5][0].startswith("GET /api/both, POST /api/other: the newest start does not have it")
    assert shown[6] == [f"1 endpoints and 2 gone; the table of modes is at version 3, in {store.path}."]
    rows_of = {row["name"]: row for row in answer(store, "list")["endpoints"]}
    assert {name: row["gone"] for name, row in rows_of.items()} == {
        OF_ANOTHER_APP.name: False,
        BOTH.name: True,
        OTHER.name: True,
    }


def test_list_is_without_what_is_gone_once_it_is_back(store: SQLiteCutoverStore) -> None:
    output(store, "set", "--all", "legacy", "--reason", "back")
    assert [row["name"] for row in answer(store, "list")["endpoints"]] == [OF_ANOTHER_APP.name]


@pytest.mark.parametrize("gone", [BOTH, OLD, NEW], ids=lambda each: each.name)
def test_show_tells_of_one_that_is_gone(store: SQLiteCutoverStore, gone: Endpoint) -> None:
    shown = rows(output(store, "show", gone.name))
    assert shown[0] == [gone.name]
    assert shown[2][1].endswith(", gone")
    assert shown[3][0].startswith("the newest start does not have it")
    assert answer(store, "show", gone.name)["gone"] is True
