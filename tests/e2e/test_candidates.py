"""Candidates that do what no handler should, behind primaries that go on answering."""

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.modes import Mode
from tests.e2e.operators import Operator
from tests.e2e.servers import Server, ask, cutover_pair, wait_for

MAX_GROWTH_KIB = 100 * 1024
ROUNDS = 20
DRAIN_SECONDS = 2
BOUND_SECONDS = 10.0
"""For what takes a second or two on a machine that does nothing else."""

MATCH, MISMATCH = "match", "mismatch"
TOO_LARGE, TIMED_OUT = "skipped candidate_too_large", "skipped timed_out"
IN_SHADOW = {
    "agrees": MATCH,
    "waits": TIMED_OUT,
    "raises": MISMATCH,
    "exits": MISMATCH,
    "exits-in-stream": MISMATCH,
    "streams": TIMED_OUT,
    "trickles": TIMED_OUT,
    "large": TOO_LARGE,
    "large-in-chunks": TOO_LARGE,
    "holds": TIMED_OUT,
}
IN_VERIFY = {"sleeps": TIMED_OUT}
SETS: Mapping[Mode, Mapping[str, str]] = {"shadow": IN_SHADOW, "verify": IN_VERIFY}

ALSO = {
    # One that kept the loop for long is not run as often. On a busy machine 50 MB may take longer than the limit.
    TOO_LARGE: {"skipped heavy", TIMED_OUT},
    # After some in a row no more are begun, and then the endpoint is compared no more.
    TIMED_OUT: {"skipped candidates_busy", "skipped stopped"},
}


@contextmanager
def _pair(folder: Path, **cutover: float) -> Iterator[tuple[Server, Operator]]:
    environ = {f"TRADEWINDOW_CUTOVER__{name.upper()}": str(value) for name, value in cutover.items()}
    environ["TRADEWINDOW_SERVER__DRAIN_TIMEOUT_SECONDS"] = str(DRAIN_SECONDS)
    with cutover_pair("tests.e2e.bad_pair:legacy", "tests.e2e.bad_pair:native", environ, folder) as server:
        server.start()
        yield server, Operator(server, folder, token="var/cutover.sqlite3.token")


def test_primaries_answer_memory_is_bounded_and_each_comparison_is_counted_with_its_reason(tmp_path: Path) -> None:
    with _pair(tmp_path, timeout_seconds=0.2, concurrency=8) as (server, operator):
        for mode, kinds in SETS.items():
            operator.change(_endpoints(kinds), {"mode": mode})
        before = _memory_kib(server, "VmRSS")
        for _ in range(ROUNDS):
            _ask_each(server, *IN_SHADOW, *IN_VERIFY)
        for mode, kinds in SETS.items():
            for kind, outcome in kinds.items():
                endpoint = f"GET /{kind}"
                wait_for(
                    lambda: _is_through(operator, mode, endpoint),  # noqa: B023 - called at once
                    f"each comparison of {endpoint} is counted, or it is compared no more",
                    seconds=BOUND_SECONDS,
                )
                _ask_until_counted(server, operator, mode, kind, outcome)
                counts = operator.counts(mode, endpoint)
                _say(f"{endpoint}: {counts}")
                assert set(counts) <= {outcome} | ALSO.get(outcome, set())
        growth = _memory_kib(server, "VmHWM") - before
        _say(f"the process grew by {growth / 1024:.0f} MiB at most, from {before / 1024:.0f}")
        assert growth < MAX_GROWTH_KIB
        assert server.terminate() == 0
        assert not _untold(server.output)


def test_a_stop_ends_the_process_in_time_with_all_of_them_going_on(tmp_path: Path) -> None:
    with _pair(tmp_path, timeout_seconds=60, concurrency=64) as (server, operator):
        operator.change(_endpoints([*IN_SHADOW, "blocks"]), {"mode": "shadow"})
        operator.change(_endpoints(IN_VERIFY), {"mode": "verify"})
        _ask_each(server, *IN_SHADOW, *IN_VERIFY, "blocks")
        begun = time.monotonic()
        assert server.terminate() == 0
        seconds = time.monotonic() - begun
        _say(f"stopped after {seconds:.1f} s")
        assert seconds < BOUND_SECONDS
        assert not _untold(server.output)
        counted = sum(sum(operator.counts(mode).values()) for mode in SETS)
        assert counted == len(IN_SHADOW) + len(IN_VERIFY) + 1


@pytest.mark.parametrize("kind", ["blocks", "blocks-in-stream"])
def test_a_candidate_that_blocks_the_loop_is_noticed_named_and_no_longer_compared(kind: str, tmp_path: Path) -> None:
    endpoint = f"GET /{kind}"
    with _pair(tmp_path, concurrency=2) as (server, operator), ThreadPoolExecutor(8) as clients:
        operator.change([endpoint, "GET /agrees"], {"mode": "shadow"})
        begun = time.monotonic()
        asked = [clients.submit(_ask_each, server, kind) for _ in range(8)]
        wait_for(lambda: operator.last_change().author == "watchdog", "it is in the log", seconds=BOUND_SECONDS)
        noticed = time.monotonic() - begun
        for answer in asked:
            answer.result(BOUND_SECONDS)
        _say(f"{kind}: noticed after {noticed:.1f} s, all is answered after {time.monotonic() - begun:.1f} s")

        (change, *_) = operator.command_json("log", "--limit", "1")["changes"]
        assert change["endpoint"] == endpoint
        assert change["after"] == {"mode": "shadow", "percent": None, "sample_rate": 0.0}
        assert "blocked the event loop" in change["reason"]
        assert f"{endpoint}: compared no more: its native candidate has blocked the event loop" in server.stderr
        begun = time.monotonic()
        _ask_each(server, *[kind, "agrees"] * 10)
        assert time.monotonic() - begun < BOUND_SECONDS
        wait_for(lambda: operator.counts("shadow", "GET /agrees") == {"match": 10}, "others are compared")
        counts = operator.counts("shadow", endpoint)
        # Of those that stood behind the ones at work none has begun.
        assert sum(counts.values()) - counts.get("skipped stopped", 0) <= 2


def _ask_each(server: Server, *kinds: str) -> None:
    for kind in kinds:
        assert ask(server.port, "GET", f"/{kind}") == (200, {"kind": kind})


def _ask_until_counted(server: Server, operator: Operator, mode: Mode, kind: str, outcome: str) -> None:
    """A heavy one rests for a second, and then it is run again."""

    def is_counted() -> bool:
        if outcome in operator.counts(mode, f"GET /{kind}"):
            return True
        _ask_each(server, kind)
        time.sleep(0.5)
        return False

    wait_for(is_counted, f"{kind} has the outcome: {outcome}", seconds=BOUND_SECONDS)


def _is_through(operator: Operator, mode: Mode, endpoint: str) -> bool:
    """All were counted. Where the endpoint is compared no more, those that came since are no comparisons."""
    counted = sum(operator.counts(mode, endpoint).values())
    return counted == ROUNDS or (counted > 0 and operator.mode(endpoint).sample_rate == 0)


def _endpoints(kinds: Mapping[str, object] | list[str]) -> list[str]:
    return [f"GET /{kind}" for kind in kinds]


def _memory_kib(server: Server, name: str) -> int:
    """Resident memory of the process: `VmRSS` of now, `VmHWM` the most that it ever was."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def _say(line: str) -> None:
    """Shown when the test fails, or with `-s`."""
    print(line)  # noqa: T201


def _untold(output: str) -> list[str]:
    """The lines before tracebacks, but for those that tell what a candidate raised."""
    pieces = re.split(r"^Traceback \(most recent call last\):$", output, flags=re.MULTILINE)
    before = [piece.rstrip().rpartition("\n")[2] for piece in pieces[:-1]]
    return [line for line in before if "the candidate raised" not in line and not line.endswith(_CHAINED)]


_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
