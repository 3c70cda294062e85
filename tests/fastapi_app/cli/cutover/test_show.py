"""`tradewindow cutover show`, and endpoints and numbers as any command takes them."""

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import answer, output, refusal, rows, with_evidence, wrong_use
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT


def test_show_tells_all_of_one_endpoint(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: CANARY}, author="ann", reason="5 % on Monday", at=INSTANT)
    with_evidence(store)
    shown = rows(output(store, "show", "GET", "/api/both"))
    for row in (
        ["GET /api/both"],
        ["sides", "both"],
        ["mode", "canary 5%"],
        ["compared", "1235: 1230 matched, 1 mismatched, 4 accepted"],
        ["skipped", "3"],
        ["shadow", "skipped", "queue full", "3"],
        ["shadow", "accepted", "rounding", "4"],
        ["canary", "mismatch", "1"],
        ["1", "2025-03-03 12:30", "GET /api/both?symbol=BTC", "canary", "status, body"],
        ["2", "2025-03-03 12:30", "GET /api/both", "legacy → canary 5%", "ann", "5 % on Monday"],
        ["1", "2025-03-03 12:30", "GET /api/both", "begins as legacy", "tradewindow", "first seen"],
    ):
        assert row in shown


def test_show_tells_the_notes_of_the_inventory(store: SQLiteCutoverStore) -> None:
    shown = rows(output(store, "show", "POST /api/other"))
    assert ["note", "native takes any float"] in shown
    assert ["note", "a converter differs"] in shown


def test_show_as_json(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    shown = answer(store, "show", BOTH.name)
    assert (shown["name"], shown["mode"], shown["version"]) == (BOTH.name, "legacy", 1)
    assert {"mode": "shadow", "outcome": "skipped", "reason": "queue_full", "count": 3} in shown["evidence"]
    assert [row["id"] for row in shown["mismatches"]] == [1]


@pytest.mark.parametrize("command", [["show"], ["log"], ["mismatches", "--endpoint"]])
def test_an_unknown_endpoint_is_named_with_the_nearest(store: SQLiteCutoverStore, command: list[str]) -> None:
    assert refusal(*command, "GET /api/bot", "--state", str(store.path)).startswith(
        "'GET /api/bot' is not an endpoint: the nearest are GET /api/both"
    )


@pytest.mark.parametrize(
    "command", [["show"], ["log"], ["mismatches", "--endpoint"], ["set", "--reason=x"], ["forget", "--reason=x"]]
)
def test_an_endpoint_that_is_no_text_is_none(store: SQLiteCutoverStore, command: list[str]) -> None:
    mode = ["shadow"] if command[0] == "set" else []
    sentence = refusal(*command, "GET /\udcff", *mode, "--state", str(store.path))
    assert sentence.startswith(r"'GET /\\udcff' is not an endpoint: ")


@pytest.mark.parametrize("limit", ["0", "9" * 20, "ten", "1.5"])
@pytest.mark.parametrize("command", [["log"], ["mismatches"], ["show", BOTH.name]])
def test_a_limit_has_a_bound(store: SQLiteCutoverStore, command: list[str], limit: str) -> None:
    sentence = f"Invalid value for '--limit': \"{limit}\" is not a whole number from 1 to 1000000"
    assert sentence in wrong_use(*command, "--limit", limit, "--state", str(store.path))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["mismatches", "abc"], "'[ID]': \"abc\" is not a whole number from 1"),
        (["mismatches", "0"], "'[ID]': \"0\" is not a whole number from 1"),
        (["set", BOTH.name, "canary", "--percent", "5%"], "'--percent': \"5%\" is not a number from 0 to 100"),
        (["set", BOTH.name, "shadow", "--sample-rate", "all"], "'--sample-rate': \"all\" is not a number from 0 to 1"),
        (["set", BOTH.name, "shadow", "--version", "v1"], "'--version': \"v1\" is not a whole number from 0"),
    ],
)
def test_what_is_no_number_is_named_with_its_option_and_the_rule(command: list[str], sentence: str) -> None:
    assert f"Invalid value for {sentence}" in wrong_use(*command)


def test_show_takes_one_endpoint(store: SQLiteCutoverStore) -> None:
    assert refusal("show", "GET", "/api/both", "GET /api/new", "--state", str(store.path), exit_code=2) == (
        "one endpoint at a time: GET /api/both, GET /api/new are 2"
    )
