"""Ctrl-C while modules are imported."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_just_ends() -> Iterator[None]:
    """Around imports that take long: Ctrl-C has nothing to end cleanly yet, and would show them as a traceback."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
