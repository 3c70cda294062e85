"""`tradewindow cutover list`"""

from dataclasses import replace

import pytest

from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import Mode
from tests.fastapi_app.cli.cutover.commands import answer, output, rows, with_evidence
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT, INVENTORY, OTHER


def test_list_shows_each_endpoint_with_its_mode_and_what_the_comparisons_found(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: CANARY}, author="ann", reason="5 % on Monday", at=INSTANT)
    with_evidence(store)
    heading, _rule, *shown = rows(output(store, "list"))
    assert heading == [
        "endpoint",
        "sides",
        "mode",
        "compared",
        "matches",
        "mismatches",
        "accepted",
        "skipped",
        "newest change (UTC)",
    ]
    assert shown == [
        ["GET /api/both", "both", "canary 5%", "1235", "1230", "1", "4", "3 (queue full)", "2025-03-03 12:30 ann"],
        ["POST /api/other", "both", "legacy", "0", "0", "0", "0", "7 (unsafe)"],
        ["GET /api/old/<int:number>", "legacy", "legacy", "0", "0", "0", "0", "0"],
        ["GET /api/new", "native", "native", "0", "0", "0", "0", "0"],
        [f"4 endpoints; the table of modes is at version 2, in {store.path}."],
    ]


def test_list_tells_the_commonest_reason_of_skips(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    skipped: dict[tuple[Mode, str], int] = {
        ("canary", "timed_out"): 4,
        ("shadow", "timed_out"): 5,
        ("shadow", "queue_full"): 2,
    }
    store.add_evidence({CountKey(BOTH.name, mode, "skipped", reason): n for (mode, reason), n in skipped.items()}, [])
    assert "14 (9 timed out)" in rows(output(store, "list"))[2]


def test_list_on_a_terminal_that_is_not_wide_leaves_out_what_counts_least(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_evidence(store)
    monkeypatch.setenv("COLUMNS", "80")
    assert output(store, "list").splitlines() == [
        "endpoint                   sides   mode    compared  matches  mismatches",
        "────────────────────────────────────────────────────────────────────────",
        "GET /api/both              both    legacy      1235     1230           1",
        "POST /api/other            both    legacy         0        0           0",
        "GET /api/old/<int:number>  legacy  legacy         0        0           0",
        "GET /api/new               native  native         0        0           0",
        "Not shown, for want of width: newest change (UTC), accepted, skipped.",
        f"4 endpoints; the table of modes is at version 1, in {store.path}.",
    ]


def test_list_folds_a_rule_that_is_too_long(store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.register([replace(BOTH, rule="/api/" + "long/" * 20), OTHER], {}, at=INSTANT)
    monkeypatch.setenv("COLUMNS", "70")
    heading, line, *shown = output(store, "list").splitlines()[:5]
    assert heading.split() == ["endpoint", "mode", "compared", "mismatches"]
    assert max(map(len, [heading, line, *shown])) <= 70
    assert len({len(row) for row in (heading, line, *shown)}) == 1
    assert shown[0].startswith("GET ")
    assert shown[1].startswith("/api/long/long/")


def test_list_on_the_narrowest_terminal_has_a_line_for_each_endpoint(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_evidence(store)
    monkeypatch.setenv("COLUMNS", "20")
    assert output(store, "list").splitlines() == [
        "GET /api/both  both  legacy  1235 compared, 1 mismatched, 4 accepted, 3 skipped (queue full)",
        "POST /api/other  both  legacy  0 compared, 7 skipped (unsafe)",
        "GET /api/old/<int:number>  legacy  legacy  none compared",
        "GET /api/new  native  native  none compared",
        f"4 endpoints; the table of modes is at version 1, in {store.path}.",
    ]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["log", "--limit=1"], "2  2025-03-03 12:30  GET /api/both  legacy → canary 5%  ann  5 % on Monday"),
        (["mismatches"], "1  2025-03-03 12:30  GET /api/both?symbol=BTC  canary  status, body"),
    ],
)
def test_where_a_table_would_be_in_shreds_each_row_is_a_line(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch, command: list[str], line: str
) -> None:
    store.change({BOTH.name: CANARY}, author="ann", reason="5 % on Monday", at=INSTANT)
    with_evidence(store)
    monkeypatch.setenv("COLUMNS", "50")
    assert output(store, *command) == f"{line}\n"
    assert line in output(store, "show", BOTH.name).splitlines()


@pytest.mark.parametrize("command", [["list"], ["show", BOTH.name]])
def test_an_endpoint_that_lost_the_side_of_its_mode_is_shown_with_the_one_it_has(
    store: SQLiteCutoverStore, command: list[str]
) -> None:
    store.change({BOTH.name: CANARY}, author="ann", reason="5 % on Monday", at=INSTANT)
    store.register([replace(BOTH, native=False), OTHER], {}, at=INSTANT)
    shown = [cell for row in rows(output(store, *command)) for cell in row]
    assert "canary 5%, but legacy alone has it" in shown
    assert "GET /api/new" not in shown
    (explained,) = (cell for cell in shown if "the mode needs a side that the newest start did not have." in cell)
    assert "cutover serve --native" in explained
    assert explained.startswith("GET /api/both: ") is (command == ["list"])


def test_list_into_a_pipe_breaks_no_line(store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    long = replace(BOTH, rule="/api/" + "long/" * 60)
    store.register([long], {}, at=INSTANT)
    assert [f"GET {long.rule}", "both", "legacy", "0", "0", "0", "0", "0"] in rows(output(store, "list"))


def test_list_as_json_is_what_the_http_api_answers(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    shown = answer(store, "list")
    assert shown["version"] == 1
    assert [row["name"] for row in shown["endpoints"]] == [endpoint.name for endpoint in INVENTORY]
    assert shown["endpoints"][0] == {
        "name": "GET /api/both",
        "method": "GET",
        "rule": "/api/both",
        "sides": ["legacy", "native"],
        "mode": "legacy",
        "percent": None,
        "sample_rate": 1.0,
        "notes": [],
        "gone": False,
        "counts": {"match": 1230, "mismatch": 1, "accepted": 4, "skipped": 3},
    }
