"""One uvicorn process or several, on a socket of ours."""

import copy
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

from fastapi_app.bridge.protocol import Protocol
from shared.errors import SettingsError, TradingWindowError
from shared.request_id import RequestIdFilter
from shared.settings import ServerSettings

logger = logging.getLogger(__name__)

BACKLOG = 2048
ENDING_SECONDS = 3.0
"""How long a process may take to end once everything is closed."""

WORKER_SILENCE_SECONDS = 60
"""After which the parent replaces a worker. On a busy machine uvicorn's own 5 end before the imports of one do, and
no worker ever starts."""

LOGGING = copy.deepcopy(LOGGING_CONFIG)
"""Warnings and errors of every module go to stderr, with the id of their request, and what the bot does; the access
log, where it is on, to stdout."""
LOGGING["filters"] = {"request_id": {"()": RequestIdFilter}}
LOGGING["handlers"]["default"]["filters"] = ["request_id"]
LOGGING["formatters"]["default"]["fmt"] = "%(levelprefix)s [%(request_id)s] %(message)s"
LOGGING["root"] = {"handlers": ["default"], "level": "WARNING"}
LOGGING["loggers"] |= {name: {"level": "INFO"} for name in ("fastapi_app.bot_supervisor", "shared.bot.notifier")}
LOGGING["loggers"]["uvicorn"]["level"] = "WARNING"
LOGGING["loggers"]["uvicorn.error"]["level"] = "WARNING"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; clients may connect from now on and wait. Raises SettingsError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as exc:
        listener.close()
        problem = exc.strerror if isinstance(exc, OSError) else exc
        raise SettingsError(
            f"port {port} of {host} can't be listened on: {problem} (server.port, server.host)"
        ) from exc
    return listener


def run(
    app: ASGIApp,
    make_app: Callable[[], ASGIApp],
    settings: ServerSettings,
    listener: socket.socket,
    *,
    websockets: bool = False,
) -> None:
    """Serves until told to stop. One worker serves `app` itself; each of several makes its own by `make_app`, which is
    pickled. With `websockets` an upgrade is the app's to take, where a library for it is installed; without, it is a
    request as any other.

    Raises KeyboardInterrupt when it was told by a signal, and SystemExit when no worker can start.
    """
    alone = settings.workers == 1
    config = uvicorn.Config(
        _Ending(app) if alone else partial(_app_of_worker, make_app),
        factory=not alone,
        interface="asgi3",
        workers=settings.workers,
        log_config=LOGGING,
        http=Protocol,
        ws="auto" if websockets else "none",
        access_log=settings.access_log,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.drain_timeout_seconds,
        timeout_worker_healthcheck=WORKER_SILENCE_SECONDS,
    )
    if alone:
        uvicorn.Server(config).run(sockets=[listener])
        return
    workers = _Workers(config, sockets=[listener])
    workers.run()
    if any(worker.process.exitcode == uvicorn.config.STARTUP_FAILURE for worker in workers.processes):
        raise SystemExit(uvicorn.config.STARTUP_FAILURE)
    raise KeyboardInterrupt


class _Workers(Multiprocess):
    def init_processes(self) -> None:
        with _without_ctrl_c():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        with _without_ctrl_c():
            super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if new is not old:
                logger.warning("worker %d died (exit code %s): %d replaces it", old.pid, old.exitcode, new.pid)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Around the start of workers. Ctrl-C reaches the whole terminal, and one still at its imports would answer with a
    traceback. They inherit the block, and stop by the parent's SIGTERM; the parent gets a Ctrl-C of meanwhile after."""
    resource_tracker.ensure_running()  # or the first worker would start it, which ends the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Ending:
    """The app, whose process ends soon after it: Python waits for every thread that isn't a daemon, also for the one in
    which somebody's `def` endpoint hangs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._live(scope, receive, send) if scope["type"] == "lifespan" else self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        threading.Thread(target=self._end, daemon=True).start()

    def _end(self) -> None:
        time.sleep(ENDING_SECONDS)
        stuck = [each.name for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
        sys.stderr.write(f"ended without {len(stuck)} threads that went on: {', '.join(stuck)}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _app_of_worker(make_app: Callable[[], ASGIApp]) -> ASGIApp:
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        return _Ending(make_app())
    except TradingWindowError as exc:
        # The parent's own start went well, so this may pass: with 1 the worker is tried again, with 3 all would stop.
        sys.stderr.write(f"a worker can't start: {exc}\n")
        raise SystemExit(1) from exc


def _stop_with_parent() -> None:
    """A worker whose parent was killed would hold the port, and no new server could start."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
