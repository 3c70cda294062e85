"""`tradewindow cutover forget`"""

import pytest

from fastapi_app.cutover.store.base import ModeTable
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cli.cutover.commands import answer, output, refusal, rows, with_evidence
from tests.fastapi_app.cutover.store.helpers import BOTH, INSTANT, OTHER, SEEDED, SHADOW


def test_forget_drops_the_evidence_of_an_endpoint(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    assert output(store, "forget", "GET", "/api/both", "--reason", "native is mended").splitlines() == [
        "GET /api/both: forgot 1238 comparisons and 1 kept mismatch",
        f"The table of modes stays at version 1, in {store.path}.",
    ]
    assert ({key.endpoint for key in store.counts()}, list(store.mismatches())) == ({OTHER.name}, [])
    assert store.table() == ModeTable(1, SEEDED)


def test_forget_takes_several_and_tells_of_those_without_evidence(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    told = output(store, "forget", "GET /api/new", "POST", "/api/other", "--reason=x")
    assert told.splitlines()[:-1] == [
        "POST /api/other: forgot 7 comparisons and 0 kept mismatches",
        "GET /api/new: there was nothing to forget",
    ]


def test_forget_all_drops_the_evidence_of_all(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    assert output(store, "forget", "--all", "--reason=x").splitlines()[:-1] == [
        "GET /api/both: forgot 1238 comparisons and 1 kept mismatch",
        "POST /api/other: forgot 7 comparisons and 0 kept mismatches",
    ]
    assert store.counts() == {}
    assert output(store, "forget", "--all", "--reason=x").splitlines()[:-1] == ["There was nothing to forget."]


def test_the_log_and_the_endpoint_show_who_forgot_and_why(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: SHADOW}, author="ann", reason="first look", at=INSTANT)
    with_evidence(store)
    output(store, "forget", BOTH.name, "--reason", "native is mended")
    version, _when, *entry = rows(output(store, "log", "--limit=1"))[2]
    assert (version, entry) == ("2", ["GET /api/both", "evidence forgotten", "grace", "native is mended"])
    assert any(row[3:] == entry[1:] for row in rows(output(store, "show", BOTH.name)))
    output(store, "forget", OTHER.name, "--reason", "x", "--author", "bob")
    [change] = answer(store, "log", "--limit=1")["changes"]
    assert (change["kind"], change["endpoint"], change["author"]) == ("forget", OTHER.name, "bob")


def test_list_and_set_go_by_what_was_found_since(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    output(store, "forget", BOTH.name, "--reason=x")
    assert rows(output(store, "list"))[2][:8] == ["GET /api/both", "both", "legacy", "0", "0", "0", "0", "0"]
    shown = answer(store, "set", BOTH.name, "verify", "--reason=x")
    assert (shown["never_compared"], shown["differing"]) == ([BOTH.name], [])


def test_forget_as_json_is_what_the_http_api_answers(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    assert answer(store, "forget", BOTH.name, "--reason=x") == {
        "forgotten": [{"endpoint": "GET /api/both", "comparisons": 1238, "mismatches": 1}]
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["GET /api/both"], "a reason is needed: --reason says why, for the log"),
        (["--reason", "x"], "give endpoints, such as GET /api/status, or --all"),
        (["--all", "GET /api/both", "--reason", "x"], "endpoints and --all: give one of them, not both"),
        (
            ["--all", "--reason", "x", "--author", "a\nb"],
            'author: "a\\nb" is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog',
        ),
    ],
)
def test_forget_refuses_wrong_use_in_one_sentence(
    store: SQLiteCutoverStore, arguments: list[str], sentence: str
) -> None:
    with_evidence(store)
    before = store.counts()
    assert refusal("forget", *arguments, "--state", str(store.path), exit_code=2) == sentence
    assert store.counts() == before


def test_forget_names_an_unknown_endpoint_with_the_nearest_and_forgets_nothing(store: SQLiteCutoverStore) -> None:
    with_evidence(store)
    before = store.counts()
    sentence = refusal("forget", BOTH.name, "GET /api/boht", "--reason=x", "--state", str(store.path))
    assert sentence.startswith("'GET /api/boht' is not an endpoint: the nearest are GET /api/both")
    assert store.counts() == before
