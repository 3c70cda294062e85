"""The load: wrk with 64 connections, and what it says."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tests.benchmarks.machine import pinned

CONNECTIONS = 64
HOST = "127.0.0.1"

_SCRIPT = Path(__file__).with_name("load.lua")
_WARM_UP_REQUESTS = 300
_WARM_UP_SECONDS = 1.0
_ERRORS = ("connect", "read", "write", "status", "timeout")


class WrongAnswers(Exception):
    """Answers that make a figure worthless; `str()` is a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is sent, over and over; with a body it is a POST, which has to be answered by 201."""

    name: str
    path: str
    body: str | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def wanted_status(self) -> int:
        return 200 if self.body is None else 201


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What came of one run: answers, and how long the slowest hundredth had to wait at least."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def run_load(port: int, request: Request, *, seconds: int, core: int | None) -> Load:
    """Raises WrongAnswers unless wrk ran, and every answer was what it had to be."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    command += ["--timeout", "30s", "--script", str(_SCRIPT), f"http://{HOST}:{port}{request.path}"]
    command += [] if request.body is None else ["--", request.body]
    # Its own end is bounded by the duration and the timeout of a request.
    ran = subprocess.run(pinned(command, core), capture_output=True, text=True, timeout=seconds + 60, check=False)
    if ran.returncode:
        raise WrongAnswers(f"wrk could not run: {ran.stderr.strip() or ran.stdout.strip()}")
    return parse_load(ran.stdout)


def parse_load(output: str) -> Load:
    """Of what wrk and the script print. Raises WrongAnswers for errors, and where there is no answer at all."""
    found = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    errors = {kind: found[kind] for kind in _ERRORS if found[kind]}
    if errors:
        told = ", ".join(f"{kind} {count}" for kind, count in errors.items())
        raise WrongAnswers(f"of {found['requests']} requests some failed: {told}")
    if not found["requests"]:
        raise WrongAnswers("no request was answered in time")
    return Load(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        p50_ms=found["p50"] / 1e3,
        p99_ms=found["p99"] / 1e3,
    )


@contextmanager
def still_answering(name: str) -> Iterator[None]:
    """A server that goes away is no figure either. Raises WrongAnswers."""
    try:
        yield
    except (OSError, HTTPException) as exc:
        raise WrongAnswers(f"{name} stopped answering: {exc!r}") from exc


def warm_up(port: int, request: Request) -> None:
    """Lets the server's interpreter see the path, and looks at each answer. Raises WrongAnswers."""
    deadline = time.monotonic() + _WARM_UP_SECONDS
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    headers = {} if request.body is None else {"Content-Type": "application/json"}
    try:
        for _ in range(_WARM_UP_REQUESTS):
            connection.request(request.method, request.path, request.body, headers)
            with connection.getresponse() as response:
                answer = response.read()
            if response.status != request.wanted_status:
                raise WrongAnswers(f"{request.method} {request.path}: {response.status} {answer[:200]!r}")
            if time.monotonic() > deadline:
                break
    finally:
        connection.close()


def wait_until_idle(port: int) -> None:
    """What wrk no longer waited for is still being worked on, and would slow the next server down."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()
