"""The machine: its cores, what runs on it, and how long its disk takes to keep something."""

import os
import platform
import shutil
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

WRK_IS_MISSING = (
    "wrk is missing, which makes the load. On Debian and Ubuntu: sudo apt install wrk. On macOS: brew install wrk."
)

_PACKAGES = (
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "pydantic",
    "flask",
    "a2wsgi",
    "gunicorn",
    "waitress",
)
_SYNCS = 100


class Pins(NamedTuple):
    """One core for what is measured, one for the load; None where the system places them."""

    server: int | None
    load: int | None


UNPINNED = Pins(None, None)


def pins() -> Pins:
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return UNPINNED
    cores = sorted(os.sched_getaffinity(0))
    # The farthest apart: neighbours are often two threads of one core.
    return Pins(cores[0], cores[-1]) if len(cores) > 1 else UNPINNED


def pinned(command: list[str], core: int | None) -> list[str]:
    return command if core is None else ["taskset", "--cpu-list", str(core), *command]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_rows(folder: Path) -> list[tuple[str, str]]:
    """What a reader has to know to compare the figures with others; `folder` is where the state files lie."""
    return [
        ("processor", f"{_processor()}, {cores()} cores"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("disk", f"4 KB written and synced in {sync_seconds(folder) * 1e6:,.0f} µs (median of {_SYNCS})"),
        ("Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
    ]


def sync_seconds(folder: Path) -> float:
    """How long the disk takes for the least that a durable write needs."""
    path = folder / "sync"
    times = []
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(_SYNCS):
            begin = time.perf_counter()
            os.write(file, b"\0" * 4096)
            os.fsync(file)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        path.unlink()
    return median(times)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
