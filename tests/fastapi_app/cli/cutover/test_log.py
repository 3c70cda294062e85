"""`tradewindow cutover log`"""

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import answer, output, rows
from tests.fastapi_app.cutover.store.helpers import BOTH, INSTANT, OTHER, SHADOW


def test_log_says_who_moved_what_when_and_why(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: SHADOW}, author="ann", reason="first look", at=INSTANT)
    newest = ["2", "2025-03-03 12:30", "GET /api/both", "legacy → shadow (sample rate 0.25)", "ann", "first look"]
    heading, _rule, *shown = rows(output(store, "log"))
    assert heading == ["version", "when (UTC)", "endpoint", "change", "who", "why"]
    first_seen = ["1", "2025-03-03 12:30", "several", "begin", "tradewindow", "first seen"]
    assert shown == [newest, first_seen]
    assert rows(output(store, "log", "--limit", "1"))[2:] == [newest]
    of_one = rows(output(store, "log", "GET", "/api/both"))[2:]
    assert of_one == [
        newest,
        ["1", "2025-03-03 12:30", "GET /api/both", "begins as legacy", "tradewindow", "first seen"],
    ]


def test_log_as_json(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: SHADOW}, author="ann", reason="first look", at=INSTANT)
    [change] = answer(store, "log", "--limit", "1")["changes"]
    assert (change["version"], change["endpoint"], change["author"]) == (2, "GET /api/both", "ann")
    assert change["before"] == {"mode": "legacy", "percent": None, "sample_rate": 1.0}


def test_log_remembers_an_endpoint_that_is_gone(store: SQLiteCutoverStore) -> None:
    store.register([OTHER], {}, at=INSTANT)
    assert len(rows(output(store, "log", "GET /api/both"))) == 3


def test_an_endpoint_that_is_gone_is_moved_for_who_still_serves_it(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: SHADOW}, author="ann", reason="first look", at=INSTANT)
    store.register([OTHER], {}, at=INSTANT)
    output(store, "set", BOTH.name, "legacy", "--reason", "back")
    assert store.table().modes[BOTH.name].mode == "legacy"
