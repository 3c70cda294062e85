"""`tradewindow cutover mismatches`"""

from dataclasses import replace

import pytest

from fastapi_app.cutover.comparing.observation import Difference, SeenAnswer
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import WRONG_PRICE, answer, output, refusal, rows
from tests.fastapi_app.cutover.store.helpers import BOTH, OTHER, mismatch


def test_mismatches_lists_the_newest(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [WRONG_PRICE, mismatch(OTHER.name)])
    assert rows(output(store, "mismatches"))[2:] == [
        ["2", "2025-03-03 12:30", "GET /api/both?a=1", "shadow", "body"],
        ["1", "2025-03-03 12:30", "GET /api/both?symbol=BTC", "canary", "status, body"],
    ]
    assert [row[0] for row in rows(output(store, "mismatches", "--limit", "1"))[2:]] == ["2"]
    assert [row[0] for row in rows(output(store, "mismatches", "--endpoint", BOTH.name))[2:]] == ["1"]
    assert [row["id"] for row in answer(store, "mismatches")["mismatches"]] == [2, 1]


def test_no_mismatches(store: SQLiteCutoverStore) -> None:
    assert output(store, "mismatches") == "No mismatches.\n"


def test_a_mismatch_is_shown_differences_first_and_the_answers_side_by_side(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    assert [line.rstrip() for line in output(store, "mismatches", "1").splitlines()] == [
        "Mismatch 1 of GET /api/both",
        "seen 2025-03-03 12:30 UTC in canary 5%: native answered the client",
        "",
        "Differences",
        "  status: native 200, legacy 500",
        "  body: native '{\"price\":\"1.50\"}', legacy '<b>Oops'",
        "",
        "Request",
        "  GET /api/both?symbol=BTC",
        "  accept: */*",
        "  authorization: [redacted]",
        "",
        "  (2 bytes that are no text: ff fe)",
        "",
        "native (primary)                legacy (candidate)",
        "────────────────────────────────────────────────────────────────",
        "200                             500",
        "content-type: application/json  content-type: text/html",
        "",
        "{                               <b>Oops\\x1b[31m</b>",
        '  "price": "1.50"',
        "}                               raised",
        "                                KeyError: 'price'",
        "effects                         KeyError in quote (prices.py:31)",
        "{",
        '  "calls": [',
        '    "quote"',
        "  ]",
        "}",
    ]


def test_long_lines_put_the_answers_below_each_other(store: SQLiteCutoverStore) -> None:
    body = b"x" * 100
    answered = replace(WRONG_PRICE.primary, answer=SeenAnswer(status=200, body=body))
    store.add_evidence({}, [replace(WRONG_PRICE, primary=answered)])
    lines = output(store, "mismatches", "1").splitlines()
    assert lines.index("native (primary)") < lines.index("  " + "x" * 100) < lines.index("legacy (candidate)")


def test_a_header_hides_no_body_in_the_list(store: SQLiteCutoverStore) -> None:
    paths = ("headers.vary", "headers.via", "body.price", "body.side")
    differences = tuple(Difference(path=path, primary=1, candidate=2) for path in paths)
    store.add_evidence({}, [replace(WRONG_PRICE, differences=differences)])
    assert rows(output(store, "mismatches"))[2][-1] == "headers.vary, body.price and 2 more"


def test_a_mismatch_as_json(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    shown = answer(store, "mismatches", "1")
    assert (shown["id"], shown["endpoint"], shown["request"]["body_encoding"]) == (1, BOTH.name, "base64")
    assert shown["candidate"]["raised"] == "KeyError: 'price'"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["1", "--endpoint", BOTH.name], "--endpoint and the id of a mismatch: give one of them"),
        (["1", "--as-test", "--json"], "--as-test and --json: give one of them"),
        (["1", "--native", "new.app:app"], "--native goes with --as-test"),
        (["--as-test"], "--as-test needs the id of a mismatch"),
    ],
)
def test_mismatches_refuses_in_one_sentence(store: SQLiteCutoverStore, arguments: list[str], sentence: str) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    assert refusal("mismatches", *arguments, "--state", str(store.path), exit_code=2) == sentence


@pytest.mark.parametrize("number", ["17", "9" * 30])
def test_a_mismatch_that_there_is_not(store: SQLiteCutoverStore, number: str) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    assert refusal("mismatches", number, "--state", str(store.path)) == (
        f"there is no mismatch {number}, or it is no longer kept"
    )
