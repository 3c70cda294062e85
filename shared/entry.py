"""How a process that a person started logs, and how it ends when it can't start: with one sentence."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import CandleFileError, SettingsError, StoreUnavailable

CANT_START_EXIT_CODE = 3
"""By this code gunicorn's master learns that to start its worker again is no use, and ends too."""


def log_to_stderr() -> None:
    """The log of a bot's own process, from INFO on; a file that is brought to the newest schema says nothing."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


@contextmanager
def exits_with_a_sentence() -> Iterator[None]:
    """Turns what the operator must mend into a sentence on stderr, without a traceback, and SystemExit."""
    try:
        yield
    except (SettingsError, StoreUnavailable, CandleFileError) as exc:
        print(f"tradewindow can't start: {exc}", file=sys.stderr)  # noqa: T201 - the logs may not be set up yet
        raise SystemExit(CANT_START_EXIT_CODE) from None
