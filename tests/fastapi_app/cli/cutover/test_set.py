"""`tradewindow cutover set`"""

from collections.abc import Sequence
from typing import Any

import pytest

from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import ModeTable
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode
from tests.fastapi_app.cli.cutover.commands import answer, output, refusal
from tests.fastapi_app.cutover.store.helpers import (
    BOTH,
    CANARY,
    INSTANT,
    INVENTORY,
    OTHER,
    SEEDED,
    endpoint,
)


def test_set_moves_an_endpoint(store: SQLiteCutoverStore) -> None:
    assert output(store, "set", "GET /api/both", "shadow", "--reason", "first look") == (
        f"GET /api/both: legacy → shadow\nThe table is at version 2, in {store.path}.\n"
    )
    assert store.table().modes[BOTH.name] == EndpointMode(mode="shadow")
    [change] = store.log(limit=1)
    assert (change.author, change.reason) == ("grace", "first look")


def test_set_takes_several_endpoints_as_a_shell_takes_them_apart(store: SQLiteCutoverStore) -> None:
    told = output(
        store, "set", "GET", "/api/both", "POST /api/other", "canary", "--percent=5", "--reason=x", "--author=a"
    )
    assert told.splitlines() == [
        "GET /api/both: legacy → canary 5%",
        "POST /api/other: legacy → canary 5%",
        f"The table is at version 2, in {store.path}.",
        "Warning: never compared so far (2 of 2 moved): GET /api/both, POST /api/other. Clients get native's answers "
        "there; in shadow they would be compared first (writes: where their effects are recorded).",
    ]
    assert store.table() == ModeTable(2, {**SEEDED, BOTH.name: CANARY, OTHER.name: CANARY})
    assert [change.author for change in store.log(limit=2)] == ["a", "a"]


def test_set_all_moves_what_has_the_sides(store: SQLiteCutoverStore) -> None:
    assert output(store, "set", "--all", "shadow", "--reason", "all of it").splitlines() == [
        "GET /api/both: legacy → shadow",
        "POST /api/other: legacy → shadow",
        "Left as they are, since they lack a side: GET /api/new, GET /api/old/<int:number>",
        f"The table is at version 2, in {store.path}.",
    ]
    assert output(store, "set", "--all", "legacy", "--reason", "back").splitlines() == [
        "GET /api/both: shadow → legacy",
        "POST /api/other: shadow → legacy",
        "GET /api/old/<int:number> stays legacy",
        "Left as they are, since they lack a side: GET /api/new",
        f"The table is at version 3, in {store.path}.",
    ]


def test_set_all_names_a_few_of_those_that_it_leaves(store: SQLiteCutoverStore) -> None:
    natives = [Endpoint(method="GET", rule=f"/new/{number}", legacy=False, native=True) for number in range(5)]
    store.register([*INVENTORY, *natives], {}, at=INSTANT)
    told = output(store, "set", "--all", "legacy", "--reason", "back").splitlines()
    assert "Left as they are, since they lack a side: GET /api/new, GET /new/0, GET /new/1 and 3 more" in told


@pytest.mark.parametrize("command", [["set", "--all", "shadow", "--reason=x"], ["list"], ["show", "GET /new"]])
def test_a_server_that_starts_meanwhile_is_not_in_the_way(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    read_endpoints = SQLiteCutoverStore.known_endpoints

    def endpoints(asked: SQLiteCutoverStore) -> Sequence[Endpoint]:
        store.register([*INVENTORY, endpoint("GET /new")], {}, at=INSTANT)
        return read_endpoints(asked)

    monkeypatch.setattr(SQLiteCutoverStore, "known_endpoints", endpoints)
    assert "GET /new" in output(store, *command)


def overtake(store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Somebody else moves an endpoint each time that `set` is about to write, so many times."""
    change = SQLiteCutoverStore.change
    percents = iter(range(1, times + 1))

    def overtaken(own: SQLiteCutoverStore, *arguments: Any, **options: Any) -> ModeTable:
        for percent in percents:
            wanted = EndpointMode(mode="canary", percent=percent)
            change(store, {OTHER.name: wanted}, author="guard", reason="x", at=INSTANT)
            break
        return change(own, *arguments, **options)

    monkeypatch.setattr(SQLiteCutoverStore, "change", overtaken)


def test_the_way_back_is_not_lost_to_who_moves_at_the_same_time(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtake(store, monkeypatch, times=3)
    output(store, "set", "--all", "legacy", "--reason", "back")
    modes = store.table().modes
    assert {modes[endpoint.name].mode for endpoint in (BOTH, OTHER)} == {"legacy"}


def test_a_version_that_is_given_is_not_tried_again(store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before, version = store.table().modes[BOTH.name], str(store.version())
    overtake(store, monkeypatch, times=1)
    told = refusal("set", BOTH.name, "verify", "--reason=x", "--version", version, "--state", str(store.path))
    assert told.startswith("the table of modes is at version")
    assert store.table().modes[BOTH.name] == before


def test_set_keeps_sample_rate_and_percent_where_none_is_given(store: SQLiteCutoverStore) -> None:
    def mode_after(*arguments: str) -> str:
        output(store, "set", "GET /api/both", *arguments, "--reason", "x")
        return str(store.table().modes[BOTH.name])

    assert mode_after("shadow", "--sample-rate", "0.05") == "shadow (sample rate 0.05)"
    assert mode_after("canary", "--percent", "5") == "canary 5% (sample rate 0.05)"
    assert mode_after("canary", "--sample-rate", "1") == "canary 5%"
    assert mode_after("verify") == "verify"


def test_set_as_json_answers_with_the_table(store: SQLiteCutoverStore) -> None:
    shown = answer(store, "set", "GET /api/both", "shadow", "--reason", "x")
    assert shown["version"] == 2
    assert shown["modes"]["GET /api/both"] == {"mode": "shadow", "percent": None, "sample_rate": 1.0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["GET /api/both", "shadow"], "a reason is needed: --reason says why, for the log"),
        (["GET /api/both", "shadow", "--reason", " "], "a reason is needed: --reason says why, for the log"),
        (
            ["GET /api/both", "shadow", "--reason", "x" * 1_001],
            'reason: "xxxx',
        ),
        (
            ["GET /api/both", "shadow", "--reason", "x", "--author", "a\nb"],
            'author: "a\\nb" is not a text of 1 to 100 printable characters, not blank, and none of guard, watchdog',
        ),
        (
            ["GET /api/both", "--reason", "x"],
            "the mode is missing: give one of legacy, shadow, canary, verify, native, after the endpoints",
        ),
        (
            ["GET", "/api/both", "--reason", "x"],
            "the mode is missing: give one of legacy, shadow, canary, verify, native, after the endpoints",
        ),
        ([], "the mode is missing: give one of legacy, shadow, canary, verify, native, after the endpoints"),
        (
            ["GET /api/both", "shaddow", "--reason", "x"],
            "'shaddow' is no mode: give one of legacy, shadow, canary, verify, native, after the endpoints",
        ),
        (["shadow", "--reason", "x"], "give endpoints, such as GET /api/status, or --all"),
        (
            ["--all", "GET /api/both", "shadow", "--reason", "x"],
            "endpoints and --all: give one of them, not both",
        ),
        (
            ["GET /api/both", "canary", "--reason", "x"],
            "GET /api/both needs a --percent for canary: of clients that get native, 0 to 100",
        ),
        (["GET /api/both", "canary", "--percent=101", "--reason=x"], "percent: 101.0 is not a number from 0 to 100"),
        (["GET /api/both", "canary", "--percent=nan", "--reason=x"], "percent: NaN is not a number from 0 to 100"),
        (["GET /api/both", "shadow", "--percent", "5", "--reason", "x"], "--percent goes with canary, not with shadow"),
        (
            ["GET /api/both", "shadow", "--sample-rate", "1.5", "--reason", "x"],
            "sample_rate: 1.5 is not a number from 0 to 1",
        ),
    ],
)  # fmt: skip
def test_set_refuses_wrong_use_in_one_sentence_and_writes_nothing(
    store: SQLiteCutoverStore, arguments: list[str], sentence: str
) -> None:
    assert refusal("set", *arguments, "--state", str(store.path), exit_code=2).startswith(sentence)
    assert store.table() == ModeTable(1, SEEDED)


def test_set_refuses_wrong_use_also_where_there_is_no_state_file() -> None:
    assert refusal("set", exit_code=2).startswith("the mode is missing: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["GET /api/new", "shadow", "--reason", "x"],
            "GET /api/new can't be in mode shadow: it has no legacy side",
        ),
        (
            ["GET /api/boht", "canary", "--reason", "x"],
            "'GET /api/boht' is not an endpoint: the nearest are GET /api/both",
        ),
        (
            ["GET /api/both", "shadow", "--reason", "x", "--version", "7"],
            "the table of modes is at version 1, not 7: read it again; somebody has changed it meanwhile: "
            "see `tradewindow cutover log`, and set it again if need be",
        ),
    ],
)
def test_set_refuses_what_can_t_be_in_one_sentence_and_writes_nothing(
    store: SQLiteCutoverStore, arguments: list[str], sentence: str
) -> None:
    assert refusal("set", *arguments, "--state", str(store.path)).startswith(sentence)
    assert store.table() == ModeTable(1, SEEDED)
