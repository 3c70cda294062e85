"""How a process that a person started ends when it can't start: with one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import SettingsError, StoreUnavailable


@contextmanager
def exits_with_a_sentence() -> Iterator[None]:
    """Turns what the operator must mend into SystemExit with a sentence for stderr, without a traceback."""
    try:
        yield
    except (SettingsError, StoreUnavailable) as exc:
        raise SystemExit(f"tradewindow can't start: {exc}") from None
