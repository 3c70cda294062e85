"""The state that the commands work on: where it is, and what is in the way."""

import json
import os
import shlex
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode
from tests.fastapi_app.cli.cutover.commands import output, refusal, run
from tests.fastapi_app.cutover.store.helpers import BOTH, INSTANT, INVENTORY, endpoint, mismatch


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
    [
        ["show", "GET /api/health"],
        ["set", "GET /api/health", "verify", "--reason=x"],
        ["forget", "GET /api/health", "--reason=x"],
        ["log"],
        ["mismatches"],
    ],
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
def test_an_sqlite_file_of_something_else_is_left_as_it_was(
    path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi_app.cli.cutover_opened.MAKING_SECONDS", 0.05)
    for made in ("CREATE TABLE notes (text)", None):
        path.write_bytes(b"")
        if made:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(made)
        before = path.read_bytes()
        sentence = f"the store can't answer: {path} is not a cutover's state file"
        assert refusal(*command, "--state", str(path)) == sentence
        assert ([file.name for file in Path().iterdir()], path.read_bytes()) == ([path.name], before)


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["log"],
        ["mismatches"],
        ["show", "GET /a"],
        ["set", "--all", "legacy", "--reason=x"],
        ["forget", "--all", "--reason=x"],
    ],
)
def test_a_state_file_that_isn_t_there_is_named_and_not_made(command: list[str], path: Path) -> None:
    assert refusal(*command, "--state", str(path)) == (
        f"there is no state file {path}; `tradewindow cutover serve` makes one (--state)"
    )
    assert not path.exists()


def test_a_state_file_that_is_none_is_named(path: Path) -> None:
    path.write_text("This is no database, and never was one. " * 20)
    assert refusal("list", "--state", str(path)) == f"the store can't answer: {path}: file is not a database"


@pytest.mark.parametrize(
    "command", [["list"], ["show", BOTH.name], ["set", BOTH.name, "shadow", "--reason=x"]], ids=lambda words: words[0]
)
def test_a_file_that_a_first_start_is_making_is_waited_for(path: Path, command: list[str]) -> None:
    path.touch()
    start = time.monotonic()
    making = threading.Thread(target=_make, args=(path,))
    making.start()
    try:
        result = run(*command, "--state", str(path))
    finally:
        making.join()
    assert (result.exit_code, result.stderr) == (0, "")
    assert BOTH.name in result.stdout
    assert time.monotonic() - start >= 2 * STEP_SECONDS


STEP_SECONDS = 0.1


def _make(path: Path) -> None:
    """The tables, and then the endpoints, each after a while."""
    with closing(SQLiteCutoverStore(path)) as store:
        time.sleep(STEP_SECONDS)
        store.version()
        time.sleep(STEP_SECONDS)
        store.register(INVENTORY, {}, at=INSTANT)


def test_an_empty_file_is_not_waited_for_for_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastapi_app.cli.cutover_opened.MAKING_SECONDS", 0.05)
    path.touch()
    assert refusal("list", "--state", str(path)) == f"the store can't answer: {path} is not a cutover's state file"


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
        for command in (["set", BOTH.name, "shadow", "--reason", "x"], ["forget", "--all", "--reason", "x"]):
            assert refusal(*command, *which) == (
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
        for command in ("set", "mismatches", "forget")
        for line in run(command, "--help").stdout.splitlines()
        if "tradewindow cutover " in line
    ]
    assert [words[0] for words in typed] == [*["set"] * 3, *["mismatches"] * 3, *["forget"] * 2]
    for words in typed:
        apps = (
            ["--native", "fastapi_app.sides:native()", "--legacy", "fastapi_app.sides:legacy()"]
            if "--as-test" in words
            else []
        )
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
