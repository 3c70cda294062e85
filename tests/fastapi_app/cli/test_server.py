"""What the parent of several workers does where one of them dies."""

import logging
import signal
from typing import Any

import pytest
import uvicorn
from uvicorn.supervisors import multiprocess

from fastapi_app.cli.server import _Workers


class Worker:
    """A process of uvicorn's that has ended by the exit code; without one it lives."""

    def __init__(self, pid: int, exitcode: int | None = None) -> None:
        self.pid = pid
        self.exitcode = exitcode
        self.without_ctrl_c: bool | None = None

    def is_alive(self, timeout: float) -> bool:
        return timeout > 0 and self.exitcode is None

    def start(self) -> None:
        self.without_ctrl_c = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def kill(self) -> None: ...

    def join(self) -> None: ...


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> _Workers:
    """Two that live, and one between them that doesn't; the next one has the number 4."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    workers = _Workers(uvicorn.Config("none:app", workers=3, log_config=None), sockets=[])
    processes: Any = [Worker(1), Worker(2, exitcode=-9), Worker(3)]
    workers.processes = processes
    monkeypatch.setattr(multiprocess, "Process", lambda *_: Worker(4))
    return workers


def test_a_worker_that_died_is_replaced_and_told_of(workers: _Workers, caplog: pytest.LogCaptureFixture) -> None:
    workers.keep_subprocess_alive()
    assert [worker.pid for worker in workers.processes] == [1, 4, 3]
    workers.keep_subprocess_alive()
    # Which the log shows, as all that is a warning.
    assert caplog.record_tuples == [
        ("fastapi_app.cli.server", logging.WARNING, "worker 2 died (exit code -9): 4 replaces it")
    ]


def test_a_worker_that_replaces_another_is_started_without_ctrl_c(workers: _Workers) -> None:
    workers.keep_subprocess_alive()
    new: Any = workers.processes[1]
    assert new.without_ctrl_c is True
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
