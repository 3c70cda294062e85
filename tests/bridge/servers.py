"""gunicorn, and the bridge under uvicorn: each a process of its own on a real socket."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bridge.apps import VALIDATE
from tests.bridge.asgi import OPTIONS
from tests.e2e.servers import HOST, Server, ask, free_port

ROOT = Path(__file__).parents[2]

GRACEFUL_SECONDS = 1

PROTOCOLS = {
    "httptools": "fastapi_app.bridge.protocol:Protocol",
    "h11": "h11",
    # As who starts uvicorn by hand gets it.
    "plain-httptools": "httptools",
}


@contextmanager
def gunicorn(folder: Path, *, threads: int = 4) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.bridge.apps:create_app()", "--bind", f"{HOST}:{port}"]
    command += ["--worker-class", "gthread", "--threads", str(threads), "--graceful-timeout", "2"]
    with _serving(command, port, folder, {}) as server:
        yield server


@contextmanager
def bridge(folder: Path, http: str, *, validate: bool = False, **options: Any) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.bridge.asgi:create_asgi", "--port", str(port)]
    command += [
        "--http",
        PROTOCOLS[http],
        "--ws",
        "none",
        "--no-access-log",
        "--timeout-graceful-shutdown",
        str(GRACEFUL_SECONDS),
    ]
    environ = {
        OPTIONS: json.dumps({"drain_timeout_seconds": 2.0, **options}),
        # Row 36: it must not count.
        "SCRIPT_NAME": "/evil",
        **({VALIDATE: "1"} if validate else {}),
    }
    with _serving(command, port, folder, environ) as server:
        yield server


@contextmanager
def _serving(command: list[str], port: int, folder: Path, environ: dict[str, str]) -> Iterator[Server]:
    # The Allow of a 405 is in the order of a set.
    common = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    server = Server(command, port=port, folder=folder, environ={**common, **environ})
    try:
        server.start()
        yield server
    except BaseException as exc:
        exc.add_note(f"the server on port {port} printed:\n{server.output[-4000:]}")
        raise
    finally:
        server.leave_nothing_behind()


def figures(server: Server) -> dict[str, Any]:
    status, answer = ask(server.port, "GET", "/figures")
    assert status == 200
    assert isinstance(answer, dict)
    return answer


def events(server: Server) -> list[str]:
    """What the app has noted. The bridge's host answers, without a thread of the bridge."""
    status, answer = ask(server.port, "GET", "/events")
    assert status == 200
    assert isinstance(answer, list)
    return answer


def open_gate(server: Server, name: str) -> None:
    assert ask(server.port, "POST", f"/gates/{name}")[0] == 200


def pid(server: Server) -> int:
    _, answer = ask(server.port, "GET", "/api/health")
    return int(answer["pid"])
