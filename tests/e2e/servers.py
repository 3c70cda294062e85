"""Real servers: each a process of its own with all that it starts, on a real socket and a real state file."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.parity.endpoints import BOTH_SIDES

HOST = "127.0.0.1"
DEADLINE_SECONDS = 60.0
"""For a condition that a second should bring about; a loaded machine may take longer."""

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

MARKET = ("GET /api/market/ticker/<symbol>", "GET /api/market/ohlcv/<symbol>", "GET /api/orderbook/<symbol>")
BROKER = (
    "GET /api/balances",
    "GET /api/positions",
    "GET /api/orders",
    "POST /api/orders",
    "GET /api/orders/<order_id>",
    "DELETE /api/orders/<order_id>",
)
BOT = ("GET /api/bot-status", "POST /api/bot/start", "POST /api/bot/stop")
NATIVE_ONLY = ("GET /api/trading-window", "GET /api/trading-window/remaining-trades")
ALL_NATIVE = dict.fromkeys(BOTH_SIDES, "native")


class Server:
    """A server process in a process group of its own, to be stopped, killed and started again on the same port.

    It is ready once it answers and `ready_marks` stand so many times in what it printed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        folder: Path,
        environ: Mapping[str, str],
        ready_marks: tuple[str, int] | None = None,
        ready_path: str = "/api/health",
    ) -> None:
        self.port = port
        self.environ = environ
        self._command = command
        self._folder = folder
        self._ready_marks = ready_marks
        self._ready_path = ready_path
        self._printed = folder / f"server-{port}.stdout"
        self._complained = folder / f"server-{port}.stderr"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stdout(self) -> str:
        return self._printed.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self._complained.read_text(errors="replace")

    @property
    def complaints(self) -> list[str]:
        """The lines of stderr but those that tell what its bot does."""
        return [line for line in self.stderr.splitlines() if not line.startswith("INFO:")]

    @property
    def output(self) -> str:
        return f"{self.stdout}{self.stderr}"

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._running().pid

    def launch(self) -> None:
        """Starts the process and doesn't wait for it. What an earlier one printed is gone."""
        assert self._process is None
        # None of the settings of whoever runs the tests; and gunicorn keeps a socket under the home.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWINDOW_")}
        with self._printed.open("wb") as stdout, self._complained.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**inherited, "HOME": str(self._folder), "PYTHONUNBUFFERED": "1", **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        wait_for(self._is_ready, "the server answers")

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def interrupt(self) -> int:
        """Ctrl-C: a terminal sends SIGINT to every process of the command."""
        os.killpg(self._running().pid, signal.SIGINT)
        return self._exit_code()

    def terminate(self) -> int:
        """As a service manager stops it: SIGTERM to the process that was started."""
        self._running().send_signal(signal.SIGTERM)
        return self._exit_code()

    def kill(self) -> None:
        """`kill -9` to every process of it, at once."""
        os.killpg(self._running().pid, signal.SIGKILL)
        self._exit_code()

    def leave_nothing_behind(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(DEADLINE_SECONDS)
            self._process = None

    def wait(self) -> int:
        """The exit code of a process that ends by itself."""
        return self._exit_code()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        assert self._process.poll() is None, f"the server has ended with {self._process.returncode}"
        return self._process

    def _exit_code(self) -> int:
        """Of a process that is about to end. Its workers must have let go of the port, too."""
        assert self._process is not None
        code = self._process.wait(DEADLINE_SECONDS)
        wait_for(lambda: not _accepts(self.port), "the port is free")
        self.leave_nothing_behind()
        return code

    def _is_ready(self) -> bool:
        self._running()
        if self._ready_marks is not None:
            text, count = self._ready_marks
            if self.output.count(text) < count:
                return False
        try:
            status, _ = ask(self.port, "GET", self._ready_path)
        except OSError:
            return False
        return status == 200


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = DEADLINE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """One request with a JSON body on a connection of its own; the status and the JSON of the answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_SECONDS)
    try:
        content = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=content, headers={"Content-Type": "application/json"} | named)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def settings(
    state: Path, *, max_trades_per_day: int = 5, modes: Mapping[str, Any] | None = None, **more: str
) -> dict[str, str]:
    """The environment of a server on this state. The window's zone is one where it is noon, for a test that begins
    before midnight shall not end after it."""
    return {
        "TRADEWINDOW_STORE__PATH": str(state),
        "TRADEWINDOW_WINDOW__MAX_TRADES_PER_DAY": str(max_trades_per_day),
        "TRADEWINDOW_WINDOW__TIMEZONE": _zone_at_noon(),
        "TRADEWINDOW_CUTOVER__MODES": json.dumps(modes or {}),
        **more,
    }


@contextmanager
def new_app(environ: Mapping[str, str], folder: Path, *, workers: int = 1) -> Iterator[Server]:
    """`tradewindow serve`."""
    port = free_port()
    command = [str(BIN / "tradewindow"), "serve", "--port", str(port), "--workers", str(workers)]
    with _kept_in_order(Server(command, port=port, folder=folder, environ=environ)) as server:
        yield server


@contextmanager
def cutover_pair(
    legacy: str, native: str, environ: Mapping[str, str], folder: Path, *, ready_path: str = "/", workers: int = 1
) -> Iterator[Server]:
    """`tradewindow cutover serve`, with two apps of the tests."""
    port = free_port()
    command = [str(BIN / "tradewindow"), "cutover", "serve", "--legacy", legacy, "--native", native]
    command += ["--state", "var/cutover.sqlite3", "--port", str(port), "--workers", str(workers)]
    environ = {"PYTHONPATH": str(ROOT), **environ}
    server = Server(command, port=port, folder=folder, environ=environ, ready_path=ready_path)
    with _kept_in_order(server) as server:
        yield server


@contextmanager
def new_app_under_uvicorn(environ: Mapping[str, str], folder: Path, *, workers: int = 1) -> Iterator[Server]:
    """`uvicorn --factory`, which is ready when each of its workers is."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "fastapi_app.app:create_app"]
    command += ["--port", str(port), "--workers", str(workers), "--no-access-log"]
    marks = ("Application startup complete", workers)
    with _kept_in_order(Server(command, port=port, folder=folder, environ=environ, ready_marks=marks)) as server:
        yield server


@contextmanager
def old_backend(
    environ: Mapping[str, str], folder: Path, *, workers: int = 2, preload: bool = True, threads: int = 8
) -> Iterator[Server]:
    """The old backend alone, under gunicorn."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "legacy_flask.app:create_app()", "--bind", f"{HOST}:{port}"]
    command += ["--worker-class", "gthread", "--threads", str(threads), "--workers", str(workers)]
    command += ["--preload"] if preload else []
    marks = ("Booting worker with pid", workers)
    with _kept_in_order(Server(command, port=port, folder=folder, environ=environ, ready_marks=marks)) as server:
        yield server


@contextmanager
def old_backend_under_flask(environ: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """The old backend alone, by `flask run`."""
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "legacy_flask.app", "run", "--port", str(port)]
    with _kept_in_order(Server(command, port=port, folder=folder, environ=environ)) as server:
        yield server


def free_port() -> int:
    """A port below those that the kernel gives to clients: one of these, which tries to reach a server that is down,
    would else be connected to itself now and then, and keep the port from the server."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            return port


@contextmanager
def _kept_in_order(server: Server) -> Iterator[Server]:
    """Nothing of the server is left behind, and a failure shows what it printed."""
    try:
        yield server
    except BaseException as exc:
        exc.add_note(f"the server on port {server.port} printed:\n{server.output[-4000:]}")
        raise
    finally:
        server.leave_nothing_behind()


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def _zone_at_noon() -> str:
    ahead = 12 - datetime.now(UTC).hour
    # POSIX counts hours west of Greenwich.
    return f"Etc/GMT{-ahead:+d}"
