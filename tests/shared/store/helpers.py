"""What the store's tests share: transitions with a known outcome, and threads that can't hang the suite."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from shared.errors import Reason, Refused
from shared.store.base import IdempotencyKey
from shared.window import Entry, Outcome, Permit, Transition, WindowState
from shared.window_config import WindowConfig

DEADLINE_SECONDS = 20.0
INSTANT = datetime(2025, 3, 3, 12, 30, 15, 123456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = "2025-03-03"
CONFIG = WindowConfig(start_hour=9, end_hour=17, max_trades_per_day=5, timezone="Europe/Stockholm")

T = TypeVar("T")


def in_thread(call: Callable[..., T], *arguments: Any, **options: Any) -> Future[T]:
    """Calls in a thread of its own, a daemon: one that hangs fails its test at the deadline, not the whole run."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call(*arguments, **options))
        except BaseException as exc:
            future.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return future


def trade(entry_id: str = "trade-1", *, day: str | None = DAY, symbol: str | None = None) -> Transition[dict[str, int]]:
    """Counts one trade and answers with the count."""

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[dict[str, int]]:
        count = state["trades_today"] + 1
        entry = Entry(id=entry_id, kind="trade", data={"id": entry_id}, trade_day=day, symbol=symbol)
        return Outcome(config, {**state, "trade_day": day, "trades_today": count}, (entry,), {"trades_today": count})

    return transition


def trade_within_limit(entry_id: str) -> Transition[dict[str, int]]:
    """As `trade`, and refuses once the limit is reached."""

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[dict[str, int]]:
        if state["trades_today"] >= config.max_trades_per_day:
            bound = config.max_trades_per_day
            raise Refused(Reason(code="DAILY_LIMIT", sentence="no slot is left", value=bound, bound=bound))
        return trade(entry_id)(config, state, instant)

    return transition


def permit_of(permit_id: str, **changes: Any) -> Permit:
    """One that is pending until INSTANT, with other values where they are given."""
    permit: Any = {
        "id": permit_id,
        "symbol": "BTC-USD",
        "side": "buy",
        "quantity": "0.50",
        "price": "64250.10",
        "strategy": None,
        "reduces": False,
        "status": "pending",
        "trade_day": DAY,
        "reserved_at": "2025-03-03T12:29:15.123456Z",
        "deadline": "2025-03-03T12:30:15.123456Z",
        **changes,
    }
    return cast("Permit", permit)


def reserved(*permits: Permit) -> Transition[None]:
    """The day's first slots, taken by these permits."""
    slots = sum(not permit["reduces"] for permit in permits)
    return with_outcome(
        answer=None, trade_day=DAY, trades_today=slots, permits={permit["id"]: permit for permit in permits}
    )


def raising(error: BaseException) -> Transition[Any]:
    def transition(_config: WindowConfig, _state: WindowState, _instant: datetime) -> Outcome[Any]:
        raise error

    return transition


def with_outcome(*entries: Entry, answer: T, **changes: Any) -> Transition[T]:
    """Adds the entries, changes these keys of the state, and answers."""

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[T]:
        changed: Any = {**state, **changes}
        return Outcome(config, changed, entries, answer)

    return transition


def key(value: str = "key-1", *, body: str = "body-1", endpoint: str = "POST /trades") -> IdempotencyKey:
    return IdempotencyKey(endpoint=endpoint, value=value, fingerprint=body)
