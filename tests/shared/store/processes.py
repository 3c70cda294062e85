"""Processes at one store: scripts in a fresh interpreter, and children of theirs that begin at the same instant."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

StoreT = TypeVar("StoreT")


def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the script in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def at_the_same_instant(children: int, make: Callable[[], StoreT], use: Callable[[StoreT, int], int]) -> list[int]:
    """For a script: forks so many children. Each makes its store, and once all have, each uses it, by its number. Their
    exit codes, which `use` gives; 1 where it raises."""
    barrier_read, barrier_write = os.pipe()
    ready_read, ready_write = os.pipe()
    pids = []
    for number in range(children):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(barrier_write)
                store = make()
                os.write(ready_write, b".")
                os.read(barrier_read, 1)  # until the parent closes the other end
                code = use(store, number)
            finally:
                sys.stderr.flush()
                os._exit(code)
        pids.append(pid)
    for _ in pids:
        os.read(ready_read, 1)
    os.close(barrier_write)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
