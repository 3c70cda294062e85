import ast
import json
import os
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fastapi_app.cli.cutover import cutover
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.inventory.endpoints import Endpoint
from fastapi_app.cutover.store.base import CountKey, ModeTable
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode
from tests.fastapi_app.cutover.store.helpers import (
    BOTH,
    CANARY,
    INSTANT,
    INVENTORY,
    OTHER,
    SEEDED,
    SHADOW,
    endpoint,
    migrated,
    mismatch,
)


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LOGNAME", "grace")
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "other.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteCutoverStore]:
    """Another app's, with the inventory, at version 1."""
    store = SQLiteCutoverStore(migrated(path))
    store.register(INVENTORY, {}, at=INSTANT)
    yield store
    store.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cutover, arguments)


def output(store: SQLiteCutoverStore, *arguments: str) -> str:
    result = run(*arguments, "--state", str(store.path))
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def answer(store: SQLiteCutoverStore, *arguments: str) -> Any:
    return json.loads(output(store, *arguments, "--json"))


def refusal(*arguments: str) -> str:
    """The one sentence with which a command ends."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    (sentence,) = result.stderr.splitlines()
    return sentence.removeprefix("tradewindow cutover: ")


def wrong_use(*arguments: str) -> str:
    """What the command line's own parser says, without the frame around it."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return " ".join(result.stderr.replace("│", " ").split())


def rows(text: str) -> list[list[str]]:
    """The cells of each line; two spaces and more part them."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def with_evidence(store: SQLiteCutoverStore) -> None:
    store.add_evidence(
        {
            CountKey(BOTH.name, "shadow", "match", ""): 1200,
            CountKey(BOTH.name, "canary", "match", ""): 30,
            CountKey(BOTH.name, "canary", "mismatch", ""): 1,
            CountKey(BOTH.name, "shadow", "accepted", "rounding"): 4,
            CountKey(BOTH.name, "shadow", "skipped", "queue_full"): 3,
            CountKey(OTHER.name, "shadow", "skipped", "unsafe"): 7,
        },
        [WRONG_PRICE],
    )


WRONG_PRICE = Mismatch(
    endpoint=BOTH.name,
    at=INSTANT,
    mode=CANARY,
    request=SeenRequest(
        method="GET",
        path="/api/both",
        query="symbol=BTC",
        headers=(("accept", "*/*"), ("authorization", "[redacted]")),
        body=b"\xff\xfe",
    ),
    primary=Observation(
        side="native",
        answer=SeenAnswer(status=200, headers=(("content-type", "application/json"),), body=b'{"price":"1.50"}'),
        effects={"calls": ["quote"]},
    ),
    candidate=Observation(
        side="legacy",
        answer=SeenAnswer(status=500, headers=(("content-type", "text/html"),), body=b"<b>Oops\x1b[31m</b>"),
        raised="KeyError: 'price'",
    ),
    differences=(
        Difference(path="status", primary=200, candidate=500),
        Difference(path="body", primary='{"price":"1.50"}', candidate="<b>Oops"),
    ),
)


# list


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
        "newest change",
    ]
    assert shown == [
        ["GET /api/both", "both", "canary 5%", "1235", "1230", "1", "4", "3", "2025-03-03 12:30 ann"],
        ["POST /api/other", "both", "legacy", "0", "0", "0", "0", "7"],
        ["GET /api/old/<int:number>", "legacy", "legacy", "0", "0", "0", "0", "0"],
        ["GET /api/new", "native", "native", "0", "0", "0", "0", "0"],
        [f"4 endpoints; the table of modes is at version 2, in {store.path}."],
    ]


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
        "Not shown, for want of width: newest change, accepted, skipped.",
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
        "GET /api/both  both  legacy  1235 compared, 1 mismatched, 4 accepted, 3 skipped",
        "POST /api/other  both  legacy  0 compared, 7 skipped",
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
        "counts": {"match": 1230, "mismatch": 1, "accepted": 4, "skipped": 3},
    }


# show


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


@pytest.mark.parametrize("command", [["show"], ["log"], ["mismatches", "--endpoint"], ["set", "--reason=x"]])
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
    assert refusal("show", "GET", "/api/both", "GET /api/new", "--state", str(store.path)) == (
        "one endpoint at a time: GET /api/both, GET /api/new are 2"
    )


# set


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
    read_endpoints = SQLiteCutoverStore.endpoints

    def endpoints(asked: SQLiteCutoverStore) -> Sequence[Endpoint]:
        store.register([*INVENTORY, endpoint("GET /new")], {}, at=INSTANT)
        return read_endpoints(asked)

    monkeypatch.setattr(SQLiteCutoverStore, "endpoints", endpoints)
    assert "GET /new" in output(store, *command)


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
            'author: "a\\nb" is not a text of 1 to 100 printable characters, not blank',
        ),
        (
            ["GET /api/both", "--reason", "x"],
            "'GET /api/both' is no mode: give one of legacy, shadow, canary, verify, native, after the endpoints",
        ),
        (["shadow", "--reason", "x"], "give endpoints, such as GET /api/status, or --all"),
        (["--all", "GET /api/both", "shadow", "--reason", "x"], "give endpoints, such as GET /api/status, or --all"),
        (
            ["GET /api/new", "shadow", "--reason", "x"],
            "GET /api/new can't be in mode shadow: it has no legacy side",
        ),
        (
            ["GET /api/boht", "canary", "--reason", "x"],
            "'GET /api/boht' is not an endpoint: the nearest are GET /api/both",
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
        (
            ["GET /api/both", "shadow", "--reason", "x", "--version", "7"],
            "the table of modes is at version 1, not 7: read it again; somebody has changed it meanwhile: "
            "see `tradewindow cutover log`, and set it again if need be",
        ),
    ],
)  # fmt: skip
def test_set_refuses_in_one_sentence_and_writes_nothing(
    store: SQLiteCutoverStore, arguments: list[str], sentence: str
) -> None:
    assert refusal("set", *arguments, "--state", str(store.path)).startswith(sentence)
    assert store.table() == ModeTable(1, SEEDED)


# log


def test_log_says_who_moved_what_when_and_why(store: SQLiteCutoverStore) -> None:
    store.change({BOTH.name: SHADOW}, author="ann", reason="first look", at=INSTANT)
    newest = ["2", "2025-03-03 12:30", "GET /api/both", "legacy → shadow (sample rate 0.25)", "ann", "first look"]
    heading, _rule, *shown = rows(output(store, "log"))
    assert heading == ["version", "when", "endpoint", "change", "who", "why"]
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


# mismatches


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
        "───────────────────────────────────────────────────────",
        "200                             500",
        "content-type: application/json  content-type: text/html",
        "",
        "{                               <b>Oops\\x1b[31m</b>",
        '  "price": "1.50"',
        "}                               raised",
        "                                KeyError: 'price'",
        "effects",
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


def test_a_mismatch_of_other_apps_as_a_test(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    test = output(store, "mismatches", "1", "--as-test", "--native", "new.app:app", "--legacy", "old.app:create()")
    ast.parse(test)
    assert "from new.app import app as native_app\n" in test
    assert "from old.app import create as legacy_app\n" in test
    assert "def test_mismatch_1_of_get_api_both(parity)" in test


def test_a_mismatch_of_this_app_as_a_test() -> None:
    Path("var").mkdir()
    own = SQLiteCutoverStore(migrated(Path("var/cutover.sqlite3")))
    own.add_evidence({}, [replace(WRONG_PRICE, recording={"a": 1})])
    own.close()
    test = run("mismatches", "1", "--as-test").stdout
    ast.parse(test)
    for line in (
        "from fastapi_app.sides import native as native_app",
        "from fastapi_app.sides import legacy as legacy_app",
        "from fastapi_app.accepted_differences import ACCEPTED_DIFFERENCES",
    ):
        assert line in test


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["17"], "there is no mismatch 17, or it was dropped for newer ones"),
        (["9" * 30], f"there is no mismatch {'9' * 30}, or it was dropped for newer ones"),
        (["1", "--endpoint", BOTH.name], "--endpoint and the id of a mismatch: give one of them"),
        (["1", "--as-test", "--json"], "--as-test and --json: give one of them"),
        (["1", "--native", "new.app:app"], "--native goes with --as-test"),
        (["--as-test"], "--as-test needs the id of a mismatch"),
        (
            ["1", "--as-test"],
            "a test of other apps needs --native and --legacy: module:name, or module:factory()",
        ),
        (
            ["1", "--as-test", "--native", "new.app:app"],
            "a test of other apps needs --native and --legacy: module:name, or module:factory()",
        ),
        (
            ["1", "--as-test", "--native", "app", "--legacy", "old:app"],
            "'app' is neither module:name nor module:name()",
        ),
    ],
)
def test_mismatches_refuses_in_one_sentence(store: SQLiteCutoverStore, arguments: list[str], sentence: str) -> None:
    store.add_evidence({}, [WRONG_PRICE])
    assert refusal("mismatches", *arguments, "--state", str(store.path)) == sentence


# The state


def test_before_the_first_server_list_shows_what_it_would_begin_with_and_makes_nothing(path: Path) -> None:
    Path("given.toml").write_text(f'[cutover]\npath = "{path}"\n[cutover.modes]\n"GET /api/status" = "shadow"\n')
    listed = json.loads(run("list", "--config", "given.toml", "--json").stdout)
    modes = {row["name"]: row["mode"] for row in listed["endpoints"]}
    assert (modes["GET /api/status"], modes["GET /api/health"]) == ("shadow", "legacy")
    shown = run("list", "--config", "given.toml").stdout
    assert shown.endswith(f" at version 1, as the first start would make it, for there is no state file {path} yet.\n")
    assert [file.name for file in Path().iterdir()] == ["given.toml"]


@pytest.mark.parametrize(
    "command",
    [["show", "GET /api/health"], ["set", "GET /api/health", "verify", "--reason=x"], ["log"], ["mismatches"]],
)
def test_before_the_first_server_there_is_nothing_to_change(tmp_path: Path, command: list[str]) -> None:
    assert refusal(*command) == (
        f"there is no state file {tmp_path}/var/cutover.sqlite3: the server makes it when it first starts; --config or "
        "--state name another"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_product_s_own_store_is_found_by_the_settings(store: SQLiteCutoverStore) -> None:
    Path("given.toml").write_text(f'[cutover]\npath = "{store.path}"\n')
    assert run("set", BOTH.name, "verify", "--reason=x", "--config=given.toml").exit_code == 0
    assert store.table().modes[BOTH.name] == EndpointMode(mode="verify")


@pytest.mark.parametrize("command", [["list"], ["set", "GET /a", "shadow", "--reason=x"]])
def test_an_sqlite_file_of_something_else_is_left_as_it_was(path: Path, command: list[str]) -> None:
    for made in ("CREATE TABLE notes (text)", None):
        path.write_bytes(b"")
        if made:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(made)
        before = path.read_bytes()
        sentence = f"the store can't answer: {path} is not a cutover's state file"
        assert refusal(*command, "--state", str(path)) == sentence
        assert ([file.name for file in Path().iterdir()], path.read_bytes()) == ([path.name], before)


@pytest.mark.parametrize("command", [["list"], ["log"], ["mismatches"], ["show", "GET /a"], ["set", "legacy"]])
def test_a_state_file_that_isn_t_there_is_named_and_not_made(command: list[str], path: Path) -> None:
    assert refusal(*command, "--state", str(path)) == (
        f"there is no state file {path}; `tradewindow cutover serve` makes one (--state)"
    )
    assert not path.exists()


def test_a_state_file_that_is_none_is_named(path: Path) -> None:
    path.write_text("This is no database, and never was one. " * 20)
    assert refusal("list", "--state", str(path)) == f"the store can't answer: {path}: file is not a database"


@pytest.mark.parametrize("is_own", [True, False])
def test_a_locked_store_is_read_and_a_change_says_what_is_in_the_way(
    store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    monkeypatch.setattr("fastapi_app.cli.cutover_opened.PATIENCE_SECONDS", 0.05)
    Path("given.toml").write_text(f'[cutover]\npath = "{store.path}"\nbusy_timeout_seconds = 0.1\n')
    which = ["--config", "given.toml"] if is_own else ["--state", str(store.path)]
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run("list", *which).exit_code == 0
        assert refusal("set", BOTH.name, "shadow", "--reason", "x", *which) == (
            f"the store can't answer: {store.path} has been locked by another process for over 0.05 s"
        )


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWINDOW_CUTOVER__POLL_SECONDS", "soon")
    assert refusal("list").startswith('cutover.poll_seconds: "soon" is not a number from 0.05 to 1')


def test_what_help_shows_can_be_typed(store: SQLiteCutoverStore) -> None:
    store.register([endpoint("GET /api/status"), endpoint("GET /api/health")], {}, at=INSTANT)
    store.add_evidence({}, [mismatch("GET /api/status") for _ in range(17)])
    typed = [
        shlex.split(line.partition("tradewindow cutover ")[2].partition(">")[0].strip("│ "))
        for command in ("set", "mismatches")
        for line in run(command, "--help").stdout.splitlines()
        if "tradewindow cutover " in line
    ]
    assert [words[0] for words in typed] == ["set", "set", "set", "mismatches", "mismatches", "mismatches"]
    for words in typed:
        apps = ["--native", "new:app", "--legacy", "old:app"] if "--as-test" in words else []
        output(store, *words, *apps)


def test_a_folder_that_may_not_be_written_is_named(store: SQLiteCutoverStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.close()
    folder = store.path.parent

    def no_connection(*_arguments: Any, **_options: Any) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    # Root may write to any folder, so permissions alone would prove nothing.
    monkeypatch.setattr(sqlite3, "connect", no_connection)
    monkeypatch.setattr(os, "access", lambda file, mode: Path(file) != folder or not mode & os.W_OK)
    assert refusal("list", "--state", str(store.path)) == (
        f"the state file {store.path} can't be used: this user may not read and write {folder} (cutover.path, --state)"
    )
