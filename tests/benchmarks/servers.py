"""Servers under test: each a process of its own, on a free port of 127.0.0.1, ended with its block."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.benchmarks.load import HOST
from tests.benchmarks.machine import pinned

ROOT = Path(__file__).parents[2]

STATE_VARIABLE = "BENCHMARK_STATE"
"""Names the state file to the peers that keep one."""

Program = Literal["uvicorn", "gunicorn", "waitress"]

_READY: dict[Program, tuple[str, str]] = {
    "uvicorn": ("Application startup complete.", "Uvicorn running on"),
    "gunicorn": ("Booting worker with pid", "Listening at"),
    "waitress": ("Serving on", "Serving on"),
}
"""What each logs once a worker, and what once, when it is up."""

_START_SECONDS = 60
_STOP_SECONDS = 10


class ServerFailed(Exception):
    """A server that didn't come up; `str()` is a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSpec:
    """An app to serve: `app` is a factory, `modes` its cutover's; `keeps` tells that it writes what it acknowledges.

    A mode is its name, or a table of it, percent and sample rate. `threads` are those of a server for WSGI; an app for
    uvicorn brings its own.
    """

    name: str
    program: Program = "uvicorn"
    app: str = "fastapi_app.app:create_app"
    modes: Mapping[str, str | Mapping[str, str | float]] = field(default_factory=dict)
    workers: int = 1
    threads: int = 1
    keeps: bool = True


@contextmanager
def serving(spec: ServerSpec, *, state: Path, core: int | None) -> Iterator[int]:
    """The port on which it answers. Raises ServerFailed."""
    port = _free_port()
    with (state.parent / f"{state.stem}.log").open("w") as log:
        process = subprocess.Popen(
            pinned([sys.executable, "-m", *_command(spec, port)], core),
            cwd=state.parent,
            env=_environment(spec, state),
            stdout=log,
            stderr=log,
            # Ctrl-C is for the benchmarks alone, which then end their servers.
            start_new_session=True,
        )
        try:
            _wait_until_up(process, spec, log_path=Path(log.name))
            yield port
        finally:
            _end(process)


def cutover_path(state: Path) -> Path:
    """Where the cutover of a server keeps modes and evidence: each its own, or it would get the modes of another."""
    return state.with_name(f"{state.stem}-cutover.sqlite3")


def _command(spec: ServerSpec, port: int) -> list[str]:
    if spec.program == "gunicorn":
        command = ["gunicorn", f"{spec.app}()", "--bind", f"{HOST}:{port}", "--graceful-timeout", "2"]
        command += ["--worker-class", "gthread", "--workers", str(spec.workers), "--threads", str(spec.threads)]
        # So that the app is there when the worker boots, which is what is waited for.
        return [*command, "--preload"]
    if spec.program == "waitress":
        return ["waitress", "--listen", f"{HOST}:{port}", "--threads", str(spec.threads), "--call", spec.app]
    command = ["uvicorn", "--factory", spec.app, "--host", HOST, "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--timeout-graceful-shutdown", "2"]
    # The open-loop client keeps its connections while other servers have their turns.
    command += ["--timeout-keep-alive", "120"]
    # One worker is the server itself, without a supervisor.
    return [*command, "--workers", str(spec.workers)] if spec.workers > 1 else command


def _environment(spec: ServerSpec, state: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWINDOW_")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        # gunicorn keeps a socket under the home.
        "HOME": str(state.parent),
        STATE_VARIABLE: str(state),
        "TRADEWINDOW_STORE__PATH": str(state),
        "TRADEWINDOW_WINDOW__MAX_TRADES_PER_DAY": "1000000",
        "TRADEWINDOW_CUTOVER__PATH": str(cutover_path(state)),
        "TRADEWINDOW_CUTOVER__TOKEN_PATH": str(state.with_suffix(".token")),
        "TRADEWINDOW_CUTOVER__MODES": json.dumps(dict(spec.modes)),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_up(process: subprocess.Popen[bytes], spec: ServerSpec, *, log_path: Path) -> None:
    """Until every worker is ready: by what the server logs, for the port of several is open before they are."""
    of_worker, of_server = _READY[spec.program]
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        log = log_path.read_text()
        if log.count(of_worker) == spec.workers and of_server in log:
            return
        if process.poll() is not None:
            raise ServerFailed(f"{spec.name} ended at its start: {log.strip()[-2000:]}")
        time.sleep(0.02)
    raise ServerFailed(f"{spec.name} was not up within {_START_SECONDS} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # Not reaped yet, so that the group is surely its own: itself and its workers.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
