"""Modes among processes: a change reaches each, a kill doesn't undo it, and a store that fails holds nobody up."""

import http.client
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.late_pair import TURNED
from tests.e2e.operators import Operator
from tests.e2e.servers import BIN, DEADLINE_SECONDS, HOST, Server, ask, cutover_pair, wait_for

WORKERS = 4
ENDPOINT = "GET /price"
PATH = "/price"

BOUND_SECONDS = 3.0
"""For what takes less than one on a machine that does nothing else."""


class Process:
    """One of the server's, over a connection that is kept."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(HOST, server.port, timeout=DEADLINE_SECONDS)
        self.pid: int = self.ask(PATH)["pid"]

    def ask(self, path: str, **headers: str) -> Any:
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        self.side = response.headers["X-Cutover-Side"]
        return json.loads(response.read())

    def answers_from(self) -> str | None:
        self.ask(PATH)
        return self.side

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _pair(folder: Path, *, workers: int, modes: Mapping[str, str]) -> Iterator[tuple[Server, Operator]]:
    environ = {"TRADEWINDOW_CUTOVER__MODES": json.dumps(modes)}
    pair = ("tests.e2e.late_pair:legacy", "tests.e2e.late_pair:native")
    with cutover_pair(*pair, environ, folder, ready_path=PATH, workers=workers) as server:
        server.start()
        yield server, Operator(server, folder, token="var/cutover.sqlite3.token")


@contextmanager
def _each_process(server: Server) -> Iterator[list[Process]]:
    """A connection to each, found by trying: whom a new one reaches is chance."""
    found: dict[int, Process] = {}

    def all_found() -> bool:
        for process in found.values():
            # Or the server would close a connection that is idle for long.
            process.ask(PATH)
        process = Process(server)
        if process.pid in found:
            process.close()
        else:
            found[process.pid] = process
            stack.callback(process.close)
        return len(found) == WORKERS

    with ExitStack() as stack:
        wait_for(all_found, f"{WORKERS} processes answer")
        yield list(found.values())


def test_a_change_by_command_reaches_each_process_within_a_second_and_outlives_a_kill(tmp_path: Path) -> None:
    with _pair(tmp_path, workers=WORKERS, modes={ENDPOINT: "legacy"}) as (server, operator):
        with _each_process(server) as processes:
            assert {process.answers_from() for process in processes} == {"legacy"}
            words = [str(BIN / "tradewindow"), "cutover", "set", ENDPOINT, "native", "--reason", "a test"]
            with subprocess.Popen([*words, "--state", str(operator.state)], stdout=subprocess.DEVNULL) as command:
                moments = _moments(processes, lambda process: process.answers_from() == "native")
            assert command.returncode == 0
            change = operator.last_change()
            _check_lag("a change by command", moments, since=change.at)
        server.kill()
        server.start()
        with _each_process(server) as processes:
            # The settings still say legacy.
            assert {process.answers_from() for process in processes} == {"native"}
        assert operator.last_change() == change
        assert server.terminate() == 0


def test_the_guards_move_back_reaches_each_process_within_a_second_and_outlives_a_kill(tmp_path: Path) -> None:
    with _pair(tmp_path, workers=WORKERS, modes={ENDPOINT: "verify"}) as (server, operator):
        with _each_process(server) as processes:
            assert {process.answers_from() for process in processes} == {"native"}
            (tmp_path / TURNED).touch()
            version = operator.last_change().version
            # One process sees it; the others are asked for their version alone, which compares nothing.
            assert processes[0].ask(PATH)["price"] == 2
            moments = _moments(processes, lambda process: _version(process, operator) > version)
            (mismatch,) = operator.mismatches()
            _check_lag("the guard", moments, since=mismatch.at)
            assert [process.ask(PATH)["price"] for process in processes] == [1] * WORKERS
        change = operator.last_change()
        assert (change.author, str(change.before), str(change.after)) == ("guard", "verify", "shadow")
        assert change.reason.startswith(f"mismatch {mismatch.id}: body.price")
        server.kill()
        server.start()
        with _each_process(server) as processes:
            assert {process.answers_from() for process in processes} == {"legacy"}
        assert operator.last_change() == change


def _version(process: Process, operator: Operator) -> int:
    version: int = process.ask("/cutover/health", Authorization=operator.authorization)["version"]
    return version


def _moments(processes: list[Process], condition: Callable[[Process], bool]) -> list[datetime]:
    """When it came true of each."""
    moments: dict[int, datetime] = {}

    def ask_those_left() -> bool:
        for process in processes:
            if process.pid not in moments and condition(process):
                moments[process.pid] = datetime.now(UTC)
        return len(moments) == len(processes)

    wait_for(ask_those_left, "it is true of each process")
    return list(moments.values())


def _check_lag(what: str, moments: list[datetime], *, since: datetime) -> None:
    lags = [(moment - since).total_seconds() for moment in moments]
    _say(f"{what} was in force after {', '.join(f'{lag:.2f}' for lag in sorted(lags))} s")
    assert max(lags) < BOUND_SECONDS


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with closing(sqlite3.connect(state, isolation_level=None, timeout=DEADLINE_SECONDS)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def _gone(state: Path) -> Iterator[None]:
    elsewhere = state.rename(state.with_suffix(".elsewhere"))
    yield
    elsewhere.rename(state)


@contextmanager
def _replaced_by_a_folder(state: Path) -> Iterator[None]:
    with _gone(state):
        state.mkdir()
        yield
        state.rmdir()


@pytest.mark.parametrize(
    ("breaking", "problem"),
    [
        (_locked, "has been locked by another process for over 0.5 s"),
        (_gone, "was deleted while it was in use"),
        (_replaced_by_a_folder, "unable to open"),
    ],
)
def test_without_the_store_requests_go_on_under_the_last_table_and_health_says_so(
    breaking: Callable[[Path], AbstractContextManager[None]], problem: str, tmp_path: Path
) -> None:
    with _pair(tmp_path, workers=1, modes={ENDPOINT: "legacy"}) as (server, operator):
        operator.change([ENDPOINT], {"mode": "verify"})
        with breaking(operator.state):
            begun = time.monotonic()
            assert [ask(server.port, "GET", PATH)[1]["price"] for _ in range(50)] == [1] * 50
            assert time.monotonic() - begun < BOUND_SECONDS
            wait_for(lambda: operator.health()["status"] == "degraded", "health tells", seconds=BOUND_SECONDS)
            (sentence,) = operator.health()["problems"]
            assert sentence.startswith("the cutover's store: ")
            assert problem in sentence
            change = {"changes": {ENDPOINT: {"mode": "native"}}, "author": "test", "reason": "a test"}
            assert problem in operator.ask("PUT", "/modes", change, expected=503)["error"]
            # The guard needs no store to take the endpoint back.
            (tmp_path / TURNED).touch()
            assert ask(server.port, "GET", PATH)[1]["price"] == 2
            wait_for(lambda: ask(server.port, "GET", PATH)[1]["price"] == 1, "the guard", seconds=BOUND_SECONDS)
        wait_for(lambda: operator.health()["status"] == "ok", "health tells that it is well", seconds=BOUND_SECONDS)
        assert operator.health()["problems"] == []
        wait_for(lambda: operator.last_change().author == "guard", "it is written", seconds=BOUND_SECONDS)
        assert operator.counts("verify")["match"] == 50
        # A request that was under way may have shown it, too.
        in_verify = [each.id for each in operator.mismatches() if each.mode.mode == "verify"]
        assert any(operator.last_change().reason.startswith(f"mismatch {number}: ") for number in in_verify)
        assert server.terminate() == 0
        assert "Traceback" not in server.output


def _say(line: str) -> None:
    """Shown when the test fails, or with `-s`."""
    print(line)  # noqa: T201
