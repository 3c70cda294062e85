"""`tradewindow serve` as a process of its own, as a person starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

TRADEWINDOW = Path(sys.executable).with_name("tradewindow")
DEADLINE_SECONDS = 60.0


class Server:
    """A started process. Its output goes to files, so that it can be read while it runs."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [TRADEWINDOW, "serve", *arguments],
                cwd=folder,
                env=environment(**variables),
                stdout=stdout,
                stderr=stderr,
                # A group of its own can be sent a Ctrl-C as a terminal does: to all of its processes.
                start_new_session=True,
            )

    @property
    def lines(self) -> list[str]:
        return self._stdout.read_text().splitlines()

    @property
    def errors(self) -> list[str]:
        return self._stderr.read_text().splitlines()

    @property
    def address(self) -> str:
        return self.told("address")

    def told(self, label: str) -> str:
        """What the announcement says under a label, such as `state`."""
        (line,) = (line for line in self.lines if line.split()[:1] == [label])
        return line.split(maxsplit=1)[1]

    def get(self, path: str) -> httpx.Response:
        # The first answer of a server that was just announced waits for a worker to be up.
        return httpx.get(f"{self.address}{path}", timeout=DEADLINE_SECONDS)

    def announced(self) -> bool:
        assert self.process.poll() is None, self.errors
        return any(line.split()[:1] == ["stop"] for line in self.lines)

    def press_ctrl_c(self) -> int:
        """The exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """A server on a free port, once it has announced itself."""
    server = Server(folder, "--port", "0", *arguments, **variables)
    try:
        wait_until(server.announced)
        yield server
    finally:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it didn't come to pass in time"
        time.sleep(0.02)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("TRADEWINDOW_")}
    return {**inherited, **{f"TRADEWINDOW_{name}": value for name, value in variables.items()}}
